// Numbers of virtio 1.2 that drivers, tests and the host see: registers of the two
// transports, feature and status bits, identifiers. Modern only: no legacy register here.

/** Registers of the mmio transport, version 2 (4.2.2). */
export const enum VirtioMmio {
  MAGIC_VALUE = 0x000,
  VERSION = 0x004,
  DEVICE_ID = 0x008,
  VENDOR_ID = 0x00c,
  DEVICE_FEATURES = 0x010,
  DEVICE_FEATURES_SEL = 0x014,
  DRIVER_FEATURES = 0x020,
  DRIVER_FEATURES_SEL = 0x024,
  QUEUE_SEL = 0x030,
  QUEUE_NUM_MAX = 0x034,
  QUEUE_NUM = 0x038,
  QUEUE_READY = 0x044,
  QUEUE_NOTIFY = 0x050,
  INTERRUPT_STATUS = 0x060,
  INTERRUPT_ACK = 0x064,
  STATUS = 0x070,
  QUEUE_DESC_LOW = 0x080,
  QUEUE_DESC_HIGH = 0x084,
  QUEUE_DRIVER_LOW = 0x090,
  QUEUE_DRIVER_HIGH = 0x094,
  QUEUE_DEVICE_LOW = 0x0a0,
  QUEUE_DEVICE_HIGH = 0x0a4,
  SHM_SEL = 0x0ac,
  SHM_LEN_LOW = 0x0b0,
  SHM_LEN_HIGH = 0x0b4,
  SHM_BASE_LOW = 0x0b8,
  SHM_BASE_HIGH = 0x0bc,
  CONFIG_GENERATION = 0x0fc,
  CONFIG = 0x100,
}

/** Fields of the PCI transport's common configuration structure (4.1.4.3). */
export const enum VirtioPciCommon {
  DEVICE_FEATURE_SELECT = 0x00,
  DEVICE_FEATURE = 0x04,
  DRIVER_FEATURE_SELECT = 0x08,
  DRIVER_FEATURE = 0x0c,
  CONFIG_MSIX_VECTOR = 0x10,
  NUM_QUEUES = 0x12,
  DEVICE_STATUS = 0x14,
  CONFIG_GENERATION = 0x15,
  QUEUE_SELECT = 0x16,
  QUEUE_SIZE = 0x18,
  QUEUE_MSIX_VECTOR = 0x1a,
  QUEUE_ENABLE = 0x1c,
  QUEUE_NOTIFY_OFF = 0x1e,
  QUEUE_DESC_LOW = 0x20,
  QUEUE_DESC_HIGH = 0x24,
  QUEUE_DRIVER_LOW = 0x28,
  QUEUE_DRIVER_HIGH = 0x2c,
  QUEUE_DEVICE_LOW = 0x30,
  QUEUE_DEVICE_HIGH = 0x34,
  SIZE = 0x38,
}

/** cfg_type of a vendor capability (4.1.4). */
export const enum VirtioPciCap {
  COMMON = 1,
  NOTIFY = 2,
  ISR = 3,
  DEVICE = 4,
  PCI_CFG = 5,
}

/** Where our PCI functions put things: one page each in one 64-bit BAR, the MSI-X table in another. */
export const enum VirtioPciBar {
  MSIX = 1,
  MSIX_SIZE = 0x1000,
  MSIX_TABLE = 0,
  MSIX_PBA = 0x800,
  MSIX_VECTORS = 16,

  REGISTERS = 4,
  REGISTERS_SIZE = 0x4000,
  COMMON = 0x0000,
  ISR = 0x1000,
  DEVICE = 0x2000,
  NOTIFY = 0x3000,
  NOTIFY_MULTIPLIER = 4,
}

export const enum VirtioMagic {
  MAGIC = 0x7472_6976, // "virt"
  VERSION = 2,
  VENDOR_ID = 0x4156_5250, // "PRVA"
  PCI_VENDOR_ID = 0x1af4,
  PCI_DEVICE_ID = 0x1040, // plus the device's identifier
  PCI_SUBSYSTEM_ID = 0x1100,
  NO_VECTOR = 0xffff,
}

/** Device identifiers (5). */
export const enum VirtioId {
  NONE = 0,
  BLOCK = 2,
  CONSOLE = 3,
  ENTROPY = 4,
  BALLOON = 5,
  RTC = 17,
  MEM = 24,
  PMEM = 27,
}

/** Device status bits (2.1). */
export const enum VirtioStatus {
  ACKNOWLEDGE = 1,
  DRIVER = 2,
  DRIVER_OK = 4,
  FEATURES_OK = 8,
  DEVICE_NEEDS_RESET = 64,
  FAILED = 128,
}

/** Interrupt status bits (4.2.2, 4.1.4.5). */
export const enum VirtioInterrupt {
  USED_BUFFER = 1,
  CONFIGURATION = 2,
}

/** Feature bit numbers (6). */
export const enum VirtioFeature {
  INDIRECT_DESC = 28,
  EVENT_IDX = 29,
  VERSION_1 = 32,
}

/** Flags of a descriptor, the available ring and the used ring (2.7). */
export const enum VirtqFlag {
  DESC_NEXT = 1,
  DESC_WRITE = 2,
  DESC_INDIRECT = 4,
  AVAIL_NO_INTERRUPT = 1,
  USED_NO_NOTIFY = 1,
}

/** Flags of attachVirtioMmio and attachVirtioPci. */
export const enum VirtioAttach {
  READ_ONLY = 1,
  /** Console: RESIZE says rows before columns, as Linux before 6.15 reads it. */
  RESIZE_ROWS_FIRST = 2,
}

/** Block device (5.2). */
export const enum VirtioBlk {
  F_SEG_MAX = 2,
  F_RO = 5,
  F_BLK_SIZE = 6,
  F_FLUSH = 9,
  F_CONFIG_WCE = 11,
  F_DISCARD = 13,
  F_WRITE_ZEROES = 14,

  T_IN = 0,
  T_OUT = 1,
  T_FLUSH = 4,
  T_GET_ID = 8,
  T_DISCARD = 11,
  T_WRITE_ZEROES = 13,

  S_OK = 0,
  S_IOERR = 1,
  S_UNSUPP = 2,

  SECTOR = 512,
  ID_BYTES = 20,
  /** Flag of a discard or write-zeroes segment. */
  UNMAP = 1,
}

/** Offsets in the block device's configuration space (5.2.4). */
export const enum VirtioBlkConfig {
  CAPACITY = 0,
  SIZE_MAX = 8,
  SEG_MAX = 12,
  GEOMETRY = 16,
  BLK_SIZE = 20,
  PHYSICAL_BLOCK_EXP = 24,
  ALIGNMENT_OFFSET = 25,
  MIN_IO_SIZE = 26,
  OPT_IO_SIZE = 28,
  WRITEBACK = 32,
  NUM_QUEUES = 34,
  MAX_DISCARD_SECTORS = 36,
  MAX_DISCARD_SEG = 40,
  DISCARD_SECTOR_ALIGNMENT = 44,
  MAX_WRITE_ZEROES_SECTORS = 48,
  MAX_WRITE_ZEROES_SEG = 52,
  WRITE_ZEROES_MAY_UNMAP = 56,
  SIZE = 60,
}

/** Console device (5.3). */
export const enum VirtioConsole {
  F_SIZE = 0,
  F_MULTIPORT = 1,
  F_EMERG_WRITE = 2,

  CONFIG_COLS = 0,
  CONFIG_ROWS = 2,
  CONFIG_MAX_NR_PORTS = 4,
  CONFIG_EMERG_WR = 8,
  CONFIG_SIZE = 12,

  DEVICE_READY = 0,
  PORT_ADD = 1,
  PORT_REMOVE = 2,
  PORT_READY = 3,
  CONSOLE_PORT = 4,
  RESIZE = 5,
  PORT_OPEN = 6,
  PORT_NAME = 7,

  QUEUE_CONTROL_RX = 2,
  QUEUE_CONTROL_TX = 3,
}

/** Memory balloon device (5.5). */
export const enum VirtioBalloon {
  F_STATS_VQ = 1,
  F_DEFLATE_ON_OOM = 2,
  F_PAGE_POISON = 4,
  F_REPORTING = 5,

  CONFIG_NUM_PAGES = 0,
  CONFIG_ACTUAL = 4,
  CONFIG_POISON_VAL = 12,
  CONFIG_SIZE = 16,

  /** Bytes of an entry of the statistics buffer: {tag u16, val u64}. */
  STAT_BYTES = 10,
  /** Tags there are names for: 0 to 15. */
  STATS = 16,
}

/** Memory device (5.15). */
export const enum VirtioMem {
  F_UNPLUGGED_INACCESSIBLE = 1,

  REQ_PLUG = 0,
  REQ_UNPLUG = 1,
  REQ_UNPLUG_ALL = 2,
  REQ_STATE = 3,
  REQ_BYTES = 24,

  RESP_ACK = 0,
  RESP_NACK = 1,
  RESP_BUSY = 2,
  RESP_ERROR = 3,
  RESP_BYTES = 10,

  STATE_PLUGGED = 0,
  STATE_UNPLUGGED = 1,
  STATE_MIXED = 2,

  CONFIG_BLOCK_SIZE = 0,
  CONFIG_NODE_ID = 8,
  CONFIG_ADDR = 16,
  CONFIG_REGION_SIZE = 24,
  CONFIG_USABLE_REGION_SIZE = 32,
  CONFIG_PLUGGED_SIZE = 40,
  CONFIG_REQUESTED_SIZE = 48,
  CONFIG_SIZE = 56,

  /** What we plug at once. Linux works in pieces of at least 2 MiB. */
  BLOCK_BYTES = 0x20_0000,
}

/** PMEM device (5.19). */
export const enum VirtioPmem {
  REQ_FLUSH = 0,
  RESP_OK = 0,
  RESP_ERROR = 1,

  CONFIG_START = 0,
  CONFIG_SIZE_AT = 8,
  CONFIG_SIZE = 16,
}

/** Real-time clock device (virtio 1.4 draft). */
export const enum VirtioRtc {
  F_ALARM = 0,

  REQ_READ = 0x0001,
  REQ_READ_CROSS = 0x0002,
  REQ_CFG = 0x1000,
  REQ_CLOCK_CAP = 0x1001,
  REQ_CROSS_CAP = 0x1002,
  REQ_READ_ALARM = 0x1003,
  REQ_SET_ALARM = 0x1004,
  REQ_SET_ALARM_ENABLED = 0x1005,
  NOTIF_ALARM = 0x2000,

  S_OK = 0,
  S_EOPNOTSUPP = 2,
  S_ENODEV = 3,
  S_EINVAL = 4,
  S_EIO = 5,

  CLOCK_UTC = 0,
  CLOCK_TAI = 1,
  CLOCK_MONOTONIC = 2,
  CLOCK_UTC_SMEARED = 3,
  CLOCK_UTC_MAYBE_SMEARED = 4,

  SMEAR_UNSPECIFIED = 0,
  FLAG_ALARM_CAP = 1,
  FLAG_ALARM_ENABLED = 1,
}
