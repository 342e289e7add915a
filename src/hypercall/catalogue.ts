// Every call that the engine serves: those of the SBI specification, by its names, and the
// hypervisor's own. A test holds this to what the engine answers to.
import { CallTable, ParavaneFunction } from "../../assembly/abi/hypercall.ts";
import {
  BaseFunction,
  DbcnFunction,
  HsmFunction,
  PmuFunction,
  RfenceFunction,
  SbiExtension,
} from "../../assembly/abi/sbi.ts";
import type { CallArgument, CallCost, CallRow } from "./call-row.ts";

/** An extension that the engine serves. */
export interface Extension {
  eid: number;
  /** Short name, as counters have it. */
  name: string;
  spec: string;
  /** Place in the engine's table. */
  place: CallTable;
}

type Arg = `${string}: ${CallArgument["type"]}`;

/** "name: type, ..." as arguments. */
function argumentsOf(list: readonly Arg[]): CallArgument[] {
  return list.map((text) => {
    const [name, type] = text.split(": ");
    return { name, type: type as CallArgument["type"] };
  });
}

function rows(
  extension: Pick<Extension, "eid" | "spec">,
  version: string,
  calls: readonly (readonly [fid: number, name: string, args: readonly Arg[], returns: string, cost: CallCost])[],
): CallRow[] {
  return calls.map(([fid, name, args, returns, cost]) => ({
    eid: extension.eid,
    fid,
    name,
    spec: extension.spec,
    version,
    args: argumentsOf(args),
    returns,
    served: "engine",
    cost,
  }));
}

const sbi = (eid: number, name: string, chapter: number, place: CallTable): Extension => ({
  eid,
  name,
  spec: `SBI 2.0, ${chapter}`,
  place,
});

const BASE = sbi(SbiExtension.BASE, "base", 4, CallTable.BASE);
const TIME = sbi(SbiExtension.TIME, "time", 6, CallTable.TIME);
const IPI = sbi(SbiExtension.IPI, "ipi", 7, CallTable.IPI);
const RFENCE = sbi(SbiExtension.RFENCE, "rfence", 8, CallTable.RFENCE);
const HSM = sbi(SbiExtension.HSM, "hsm", 9, CallTable.HSM);
const SRST = sbi(SbiExtension.SRST, "srst", 10, CallTable.SRST);
const PMU = sbi(SbiExtension.PMU, "pmu", 11, CallTable.PMU);
const DBCN = sbi(SbiExtension.DBCN, "dbcn", 12, CallTable.DBCN);
const SUSP = sbi(SbiExtension.SUSP, "susp", 13, CallTable.SUSP);
const STA = sbi(SbiExtension.STA, "sta", 16, CallTable.STA);
/** In the range for firmware (SBI 2.0, chapter 17); its low bits are our implementation id. */
export const PARAVANE: Extension = {
  eid: SbiExtension.PARAVANE,
  name: "paravane",
  spec: "Paravane",
  place: CallTable.PARAVANE,
};

/** Extensions with functions, in the order of the specification's chapters. */
export const EXTENSIONS: readonly Extension[] = [BASE, TIME, IPI, RFENCE, HSM, SRST, PMU, DBCN, SUSP, STA, PARAVANE];

const legacy = (eid: SbiExtension, name: string, args: readonly Arg[], returns: string, cost: CallCost): CallRow[] =>
  rows({ eid, spec: "SBI 2.0, 5" }, "0.1", [[0, name, args, returns, cost]]);

const HARTS = ["hart_mask: u64", "hart_mask_base: u64"] as const;
const COUNTERS = ["counter_idx_base: u64", "counter_idx_mask: u64"] as const;
const SHARED_MEMORY = ["shmem_phys_lo: u64", "shmem_phys_hi: u64", "flags: u64"] as const;

/** All calls that the engine serves. */
export const CALLS: readonly CallRow[] = [
  ...legacy(SbiExtension.LEGACY_SET_TIMER, "sbi_set_timer (legacy)", ["stime_value: u64"], "", "constant"),
  ...legacy(SbiExtension.LEGACY_CONSOLE_PUTCHAR, "sbi_console_putchar", ["ch: u8"], "", "host"),
  ...legacy(SbiExtension.LEGACY_CONSOLE_GETCHAR, "sbi_console_getchar", [], "byte, in a0", "constant"),
  ...legacy(SbiExtension.LEGACY_CLEAR_IPI, "sbi_clear_ipi", [], "", "constant"),
  ...legacy(SbiExtension.LEGACY_SEND_IPI, "sbi_send_ipi (legacy)", ["hart_mask: u64"], "", "harts"),
  ...legacy(SbiExtension.LEGACY_REMOTE_FENCE_I, "sbi_remote_fence_i (legacy)", ["hart_mask: u64"], "", "harts"),
  ...legacy(
    SbiExtension.LEGACY_REMOTE_SFENCE_VMA,
    "sbi_remote_sfence_vma (legacy)",
    ["hart_mask: u64", "start: u64", "size: u64"],
    "",
    "harts",
  ),
  ...legacy(
    SbiExtension.LEGACY_REMOTE_SFENCE_VMA_ASID,
    "sbi_remote_sfence_vma_asid (legacy)",
    ["hart_mask: u64", "start: u64", "size: u64", "asid: u64"],
    "",
    "harts",
  ),
  ...legacy(SbiExtension.LEGACY_SHUTDOWN, "sbi_shutdown", [], "", "ends"),
  ...rows(BASE, "0.2", [
    [BaseFunction.GET_SPEC_VERSION, "sbi_get_spec_version", [], "version", "constant"],
    [BaseFunction.GET_IMPL_ID, "sbi_get_impl_id", [], "implementation", "constant"],
    [BaseFunction.GET_IMPL_VERSION, "sbi_get_impl_version", [], "version", "constant"],
    [BaseFunction.PROBE_EXTENSION, "sbi_probe_extension", ["extension_id: u64"], "0 if it is not there", "constant"],
    [BaseFunction.GET_MVENDORID, "sbi_get_mvendorid", [], "mvendorid", "constant"],
    [BaseFunction.GET_MARCHID, "sbi_get_marchid", [], "marchid", "constant"],
    [BaseFunction.GET_MIMPID, "sbi_get_mimpid", [], "mimpid", "constant"],
  ]),
  ...rows(TIME, "0.2", [[0, "sbi_set_timer", ["stime_value: u64"], "", "constant"]]),
  ...rows(IPI, "0.2", [[0, "sbi_send_ipi", HARTS, "", "harts"]]),
  ...rows(RFENCE, "0.2", [
    [RfenceFunction.FENCE_I, "sbi_remote_fence_i", HARTS, "", "harts"],
    [RfenceFunction.SFENCE_VMA, "sbi_remote_sfence_vma", [...HARTS, "start_addr: u64", "size: u64"], "", "harts"],
    [
      RfenceFunction.SFENCE_VMA_ASID,
      "sbi_remote_sfence_vma_asid",
      [...HARTS, "start_addr: u64", "size: u64", "asid: u64"],
      "",
      "harts",
    ],
  ]),
  ...rows(HSM, "0.2", [
    [HsmFunction.HART_START, "sbi_hart_start", ["hartid: u64", "start_addr: u64", "opaque: u64"], "", "constant"],
    [HsmFunction.HART_STOP, "sbi_hart_stop", [], "", "ends"],
    [HsmFunction.HART_GET_STATUS, "sbi_hart_get_status", ["hartid: u64"], "hart state", "constant"],
  ]),
  ...rows(HSM, "0.3", [
    [
      HsmFunction.HART_SUSPEND,
      "sbi_hart_suspend",
      ["suspend_type: u32", "resume_addr: u64", "opaque: u64"],
      "",
      "constant",
    ],
  ]),
  ...rows(SRST, "0.3", [[0, "sbi_system_reset", ["reset_type: u32", "reset_reason: u32"], "", "ends"]]),
  ...rows(PMU, "0.3", [
    [PmuFunction.NUM_COUNTERS, "sbi_pmu_num_counters", [], "counters", "constant"],
    [PmuFunction.COUNTER_GET_INFO, "sbi_pmu_counter_get_info", ["counter_idx: u64"], "counter_info", "constant"],
    [
      PmuFunction.COUNTER_CONFIG_MATCHING,
      "sbi_pmu_counter_config_matching",
      [...COUNTERS, "config_flags: u64", "event_idx: u64", "event_data: u64"],
      "counter_idx",
      "constant",
    ],
    [
      PmuFunction.COUNTER_START,
      "sbi_pmu_counter_start",
      [...COUNTERS, "start_flags: u64", "initial_value: u64"],
      "",
      "constant",
    ],
    [PmuFunction.COUNTER_STOP, "sbi_pmu_counter_stop", [...COUNTERS, "stop_flags: u64"], "", "constant"],
    [PmuFunction.COUNTER_FW_READ, "sbi_pmu_counter_fw_read", ["counter_idx: u64"], "value", "constant"],
  ]),
  ...rows(PMU, "2.0", [
    [
      PmuFunction.COUNTER_FW_READ_HI,
      "sbi_pmu_counter_fw_read_hi",
      ["counter_idx: u64"],
      "upper half: 0 here",
      "constant",
    ],
    [PmuFunction.SNAPSHOT_SET_SHMEM, "sbi_pmu_snapshot_set_shmem", SHARED_MEMORY, "", "constant"],
  ]),
  ...rows(DBCN, "2.0", [
    [
      DbcnFunction.CONSOLE_WRITE,
      "sbi_debug_console_write",
      ["num_bytes: u64", "base_addr_lo: u64", "base_addr_hi: u64"],
      "bytes written",
      "bytes",
    ],
    [
      DbcnFunction.CONSOLE_READ,
      "sbi_debug_console_read",
      ["num_bytes: u64", "base_addr_lo: u64", "base_addr_hi: u64"],
      "bytes read",
      "bytes",
    ],
    [DbcnFunction.CONSOLE_WRITE_BYTE, "sbi_debug_console_write_byte", ["byte: u8"], "", "host"],
  ]),
  ...rows(SUSP, "2.0", [
    [0, "sbi_system_suspend", ["sleep_type: u32", "resume_addr: u64", "opaque: u64"], "", "constant"],
  ]),
  ...rows(STA, "2.0", [[0, "sbi_steal_time_set_shmem", SHARED_MEMORY, "", "constant"]]),
  ...rows(PARAVANE, "1.0", [
    [ParavaneFunction.NULL, "paravane_null", [], "", "constant"],
    [
      ParavaneFunction.MULTICALL,
      "paravane_multicall",
      ["list: u64", "count: u64", "first: u64"],
      "entries done",
      "entries",
    ],
  ]),
];

/** "0x54494d45": how numbers of extensions are written, here and in policies. */
export function hexId(id: number): string {
  return `0x${id.toString(16)}`;
}
