// Numbers of the RISC-V Supervisor Binary Interface, version 2.0, and the place where
// the hypervisor's own SBI state lives. Names are the specification's.

/** Extension ids, a7 at the ecall. */
export const enum SbiExtension {
  LEGACY_SET_TIMER = 0x00,
  LEGACY_CONSOLE_PUTCHAR = 0x01,
  LEGACY_CONSOLE_GETCHAR = 0x02,
  LEGACY_CLEAR_IPI = 0x03,
  LEGACY_SEND_IPI = 0x04,
  LEGACY_REMOTE_FENCE_I = 0x05,
  LEGACY_REMOTE_SFENCE_VMA = 0x06,
  LEGACY_REMOTE_SFENCE_VMA_ASID = 0x07,
  LEGACY_SHUTDOWN = 0x08,
  BASE = 0x10,
  TIME = 0x54494d45,
  IPI = 0x735049,
  RFENCE = 0x52464e43,
  HSM = 0x48534d,
  SRST = 0x53525354,
  PMU = 0x504d55,
  DBCN = 0x4442434e,
  SUSP = 0x53555350,
  STA = 0x535441,
  /** The hypervisor's own, in the range for firmware: its low bits are the implementation's id (chapter 17). */
  PARAVANE = 0x0a00_5056,
  FIRMWARE_FIRST = 0x0a00_0000,
  FIRMWARE_LAST = 0x0aff_ffff,
}

/** Error codes, a0 after the ecall (chapter 3). */
export const enum SbiError {
  SUCCESS = 0,
  FAILED = -1,
  NOT_SUPPORTED = -2,
  INVALID_PARAM = -3,
  DENIED = -4,
  INVALID_ADDRESS = -5,
  ALREADY_AVAILABLE = -6,
  ALREADY_STARTED = -7,
  ALREADY_STOPPED = -8,
  NO_SHMEM = -9,
}

export const enum SbiVersion {
  SPECIFICATION = 0x0200_0000, // major in bits 30:24, minor in 23:0
  // Implementation ids are given out by the specification; this one is not in its list.
  IMPLEMENTATION_ID = 0x5056,
  IMPLEMENTATION = 0x0000_0100, // 0.1.0: major, minor, patch a byte each
}

export const enum BaseFunction {
  GET_SPEC_VERSION = 0,
  GET_IMPL_ID = 1,
  GET_IMPL_VERSION = 2,
  PROBE_EXTENSION = 3,
  GET_MVENDORID = 4,
  GET_MARCHID = 5,
  GET_MIMPID = 6,
}

export const enum RfenceFunction {
  FENCE_I = 0,
  SFENCE_VMA = 1,
  SFENCE_VMA_ASID = 2,
  HFENCE_GVMA_VMID = 3,
  HFENCE_GVMA = 4,
  HFENCE_VVMA_ASID = 5,
  HFENCE_VVMA = 6,
}

export const enum HsmFunction {
  HART_START = 0,
  HART_STOP = 1,
  HART_GET_STATUS = 2,
  HART_SUSPEND = 3,
}

/** HSM hart states (table 1 of chapter 9). */
export const enum HsmState {
  STARTED = 0,
  STOPPED = 1,
  START_PENDING = 2,
  STOP_PENDING = 3,
  SUSPENDED = 4,
  SUSPEND_PENDING = 5,
  RESUME_PENDING = 6,
}

export const enum ResetType {
  SHUTDOWN = 0,
  COLD_REBOOT = 1,
  WARM_REBOOT = 2,
}

export const enum ResetReason {
  NONE = 0,
  SYSTEM_FAILURE = 1,
}

export const enum DbcnFunction {
  CONSOLE_WRITE = 0,
  CONSOLE_READ = 1,
  CONSOLE_WRITE_BYTE = 2,
}

export const enum PmuFunction {
  NUM_COUNTERS = 0,
  COUNTER_GET_INFO = 1,
  COUNTER_CONFIG_MATCHING = 2,
  COUNTER_START = 3,
  COUNTER_STOP = 4,
  COUNTER_FW_READ = 5,
  COUNTER_FW_READ_HI = 6,
  SNAPSHOT_SET_SHMEM = 7,
}

/** config_flags of counter_config_matching. */
export const enum PmuConfig {
  SKIP_MATCH = 1,
  CLEAR_VALUE = 2,
  AUTO_START = 4,
  SET_VUINH = 8,
  SET_VSINH = 16,
  SET_UINH = 32,
  SET_SINH = 64,
  SET_MINH = 128,
  ALL = 255,
}

export const enum PmuStart {
  SET_INIT_VALUE = 1,
  INIT_SNAPSHOT = 2,
}

export const enum PmuStop {
  RESET = 1,
  TAKE_SNAPSHOT = 2,
}

/** event_idx: type in bits 19:16, code in 15:0. */
export const enum PmuEvent {
  CPU_CYCLES = 0x0_0001,
  INSTRUCTIONS = 0x0_0002,
  FW_SET_TIMER = 0xf_0005,
  FW_IPI_SENT = 0xf_0006,
  FW_IPI_RECEIVED = 0xf_0007,
  FW_FENCE_I_SENT = 0xf_0008,
  FW_FENCE_I_RECEIVED = 0xf_0009,
  FW_SFENCE_VMA_SENT = 0xf_000a,
  FW_SFENCE_VMA_RECEIVED = 0xf_000b,
  FW_SFENCE_VMA_ASID_SENT = 0xf_000c,
  FW_SFENCE_VMA_ASID_RECEIVED = 0xf_000d,
}

/** Logical counters of a hart: 0 cycle and 2 instret as in the CSRs (1 would be time, which is none), then firmware counters. */
export const enum PmuCounter {
  CYCLE = 0,
  INSTRET = 2,
  FIRMWARE = 3,
  FIRMWARE_COUNT = 16,
  COUNT = 19,
}

// SBI state in linear memory, the last 8 KiB of Layout.DEVICES: 512 bytes a hart, then
// the debug console's input.
export const enum SbiAt {
  STATE = 0x5_e000,
  HART_SIZE = 0x200,
  CONSOLE = 0x5_f000,
  END = 0x6_0000,
}
