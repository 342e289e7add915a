// What a guest may call, how often, and how much its devices may do: tables that the host
// writes and the engine keeps to. A guest reaches none of it: these addresses lie outside
// its RAM. They take Layout.HYPERCALLS to HYPERCALLS_END.
//
// A row of the table stands for one function of one extension. Standard extensions have a
// place each (CallTable.BASE and on) with room for 16 functions; legacy extensions share
// place 0, by their number. What the host serves has a list of its own, found by a hash.

export const enum HypercallAt {
  /** Rows of extensions that the engine serves: PLACES x FUNCTIONS x ROW_SIZE. */
  TABLE = 0xa000,
  /** Calls that the host serves: HOST_CALLS x HOST_CALL_SIZE. */
  HOST_CALLS = 0xa800,
  /** Open-addressing index into them, u8 a slot: number + 1, or 0. */
  HOST_INDEX = 0xb000,
  /** For each hart, what its ecall waits for: Parked. */
  PARKED = 0xb080,
  /** The call that the host is serving: Answer. */
  ANSWER = 0xb180,
  /** What was refused since the host last looked: Refused. */
  REFUSED = 0xb200,
  /** u8 a device (DeviceSlot): number of its budget, 0 none. */
  DEVICES = 0xb400,
  /** u32, 1 if budget 0, the whole guest's, limits anything. */
  GUEST_LIMITED = 0xb480,
  /** u64, tick at which a device that is out of budget wants to be looked at; ~0 none. */
  HELD_UNTIL = 0xb488,
  /** BUDGETS x BUDGET_SIZE; number 0 is the whole guest's. Outlives a reset: a guest cannot reboot its way to a full one. */
  BUDGETS = 0xc000,
  END = 0x1_0000,
}

export const enum CallTable {
  PLACES = 12,
  FUNCTIONS = 16,
  ROW_SIZE = 8,

  // Places, in the order of the SBI's chapters.
  LEGACY = 0,
  BASE = 1,
  TIME = 2,
  IPI = 3,
  RFENCE = 4,
  HSM = 5,
  SRST = 6,
  PMU = 7,
  DBCN = 8,
  SUSP = 9,
  STA = 10,
  PARAVANE = 11,

  // Offsets in a row.
  GRANT = 0, // u8, Grant
  BUDGET = 1, // u8, number of its budget, 0 none
}

export const enum Grant {
  /** There is no such function. */
  UNKNOWN = 0,
  GRANTED = 1,
  /** There is, and this guest may not call it. */
  DENIED = 2,
}

/** A call that the host serves. Begins as a row of the table does. */
export const enum HostCall {
  COUNT = 64,
  SIZE = 32,
  /** Slots of the index; twice the calls, so that looking for one ends soon. */
  SLOTS = 128,
  EID = 8, // u32
  FID = 12, // u32
  /** u32, four bits an argument from the lowest on: ArgumentKind. */
  ARGUMENTS = 16,
}

/** What an argument is. A buffer takes two registers: guest physical address, and length. */
export const enum ArgumentKind {
  NONE = 0,
  WORD = 1,
  /** The guest's bytes, for the handler to read. */
  BUFFER_IN = 2,
  /** For the handler to write. */
  BUFFER_OUT = 3,
}

/** Registers that arguments may take: a0 to a5. */
export const enum CallLimit {
  REGISTERS = 6,
  /** Longest buffer of a call. */
  BUFFER_BYTES = 0x10_0000,
  /** Most entries of a multicall. */
  ENTRIES = 128,
}

/** Functions of the hypervisor's own extension (SbiExtension.PARAVANE). */
export const enum ParavaneFunction {
  /** Does nothing, and returns success: what a call costs. */
  NULL = 0,
  /** multicall(list, count, first): see MulticallEntry. */
  MULTICALL = 1,
}

/** An entry of a multicall's list, in guest memory, aligned to 8 bytes. */
export const enum MulticallEntry {
  EID = 0, // u32
  FID = 4, // u32
  ARGUMENTS = 8, // u64 x 6, a0 to a5
  ERROR = 56, // i64, a0 afterwards
  VALUE = 64, // u64, a1 afterwards
  SIZE = 72,
}

/** Of one hart. */
export const enum Parked {
  SIZE = 32,
  /** u64: 0 not parked; the tick at which the ecall is tried again; ~0 until the host has answered it. */
  UNTIL = 0,
  /** u64, guest physical address of the multicall's entry that the host is to answer; 0: it is the ecall itself. */
  ENTRY = 8,
}

/** Between engine and host while the host serves a call. */
export const enum Answer {
  /** i64 and u64: a0 and a1 for the guest, written by the host. */
  ERROR = 0,
  VALUE = 8,
  /** u64 x 6: the arguments a0 to a5. */
  ARGUMENTS = 16,
  /** u32 a register: where a buffer that begins there lies in linear memory. */
  BUFFERS = 64,
}

/** Why a call was refused. */
export const enum Refusal {
  /** No such extension or function. */
  UNKNOWN = 1,
  /** The policy does not grant it. */
  DENIED = 2,
  /** It is past a budget whose policy is to refuse. */
  BUDGET = 3,
  /** Inside a multicall: another one, or a call that does not come back. */
  NESTED = 4,
}

/** The refusals' record. */
export const enum Refused {
  TOTAL = 0, // u64, ever
  /** u32, since the host last looked (it writes 0); the first KEPT of them are below. */
  COUNT = 8,
  KEPT = 8,
  RECORDS = 16,
  RECORD_SIZE = 32,
  // Of a record.
  EID = 0, // u32
  FID = 4, // u32
  HART = 8, // u32
  REASON = 12, // u32, Refusal
  PC = 16, // u64
}

/** A budget: two token buckets, and what to do past them. */
export const enum BudgetAt {
  SIZE = 128,
  COUNT = 128,
  OPERATIONS = 0,
  BYTES = 40,
  /** u32, OverBudget. */
  OVER = 80,
  /** u64: times that something had to wait, or was refused. */
  DELAYED = 88,
  REFUSED = 96,
}

/**
 * A token bucket as Firecracker's rate limiter has it: it holds `size` tokens, is filled from empty to full in `refill` ticks,
 * and begins with a burst beyond that which never comes back.
 */
export const enum BucketAt {
  /** i64, what is left; below 0, what was taken on credit by something larger. */
  TOKENS = 0,
  /** u64; 0: no limit. */
  SIZE = 8,
  /** u64, ticks. */
  REFILL = 16,
  /** u64, tick up to which the bucket has been filled. */
  FILLED = 24,
}

export const enum OverBudget {
  /** A call: its hart waits. A device's request: stays on its queue. */
  DELAY = 0,
  /** A call: SBI_ERR_DENIED. */
  REFUSE = 1,
  /** A device: delayed, and at the guest's next reset another device is in its place, the emulated one. */
  EMULATE = 2,
}

/** Places in HypercallAt.DEVICES. */
export const enum DeviceSlot {
  /** Disk n of the host's numbering, whatever device is in front of it. */
  DISK = 0,
  DISKS = 48,
  /** Network port n: what goes out. */
  NET = 48,
  NETS = 8,
  /** All consoles and ports. */
  CONSOLE = 56,
  /** Network port n: what comes in. */
  NET_RECEIVE = 64,
  COUNT = 72,
}
