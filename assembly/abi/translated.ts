// Words about translated code that both languages need: what its locals stand for, and the
// log of translated regions, which says of each what it is made of, how often it ran and how
// it was left. The log is kept where Machine.REGION_LOG says, if it says so before reset():
//
//   +0   u32 offset of the first free byte    +4   u32 regions without a record, for want of room
//   +8   u32 address of each field of the hart's state that translated code uses (HartField)
//   +56  u32 address and u32 bytes of what is learnt of accesses (translator/sites.ts)
//   +64  a record for each translation, in their order
//
// A record: its head (RegionRecord), then as many counters, instructions and locals as that says.
//   counter      u64 count, u64 pc, u32 Way, u32 detail
//   instruction  u64 pc, u32 word (its low half alone if compressed), u32 0
//   local        u16 key (LocalKey), FIXED for the first ones
//
// Code that is logged has in it: for each counter i32.const 0, i32.const 0, i64.load offset=COUNTER,
// i64.const 1, i64.add, i64.store offset=COUNTER; before each instruction i32.const NUMBER, drop.

export const enum RegionLog {
  END = 0,
  LOST = 4,
  FIELDS = 8,
  SITES = 56,
  RECORDS = 64,
  /** Bytes that the host gives it. A region takes some 2 KiB. */
  SIZE = 0x400_0000,
}

export const enum RegionRecord {
  SIZE = 0, // u32, bytes of the record
  DROPPED = 4, // u32, 1 if nothing enters it any more
  PC = 8, // u64
  MODE = 16, // u32, 0 U, 1 S, 3 M
  FLAGS = 20, // u32, RegionFlag
  MODULE = 24, // u32, number of its module, in the order in which they were installed
  FUNCTION = 28, // u32, number in the module
  WASM_BYTES = 32, // u32, its code without what counts
  MINIMUM = 36, // u32, steps that must be left to enter it
  COUNTERS = 40, // u32
  INSNS = 44, // u32
  LOCALS = 48, // u32
  PAGE_COUNT = 52, // u32
  PAGES = 56, // u64 virtual, u64 physical address, for up to four
  HEAD = 120,

  COUNTER_SIZE = 24,
  INSN_SIZE = 16,
}

/** What a counter counts, at its pc. */
export const enum Way {
  /** The region was entered. */
  RUN,
  /** A block was; detail: its instructions, with bit 31 set if it is the head of a loop. */
  BLOCK,
  // Left for a known address: there was translated code there, or not.
  JUMP,
  JUMP_OUT,
  // Left for a register's address, by the jump at pc.
  JUMP_REGISTER,
  JUMP_REGISTER_OUT,
  /** Returned to its caller. */
  RETURN,
  /** Fewer steps were left than the longest path takes. */
  BUDGET,
  // Left to call code that is not translated, or because of calls nested too deep: the code at pc,
  // by the instruction with the number in detail; or a register's, by the call at pc.
  CALL_OUT,
  CALL_REGISTER_OUT,
  /** A call came back to another address than the next instruction's. */
  RETURNED_ELSEWHERE,
  /** The engine did the instruction at pc, and the region went on behind it. */
  ENGINE,
  /** The instruction at pc was left to the interpreter. */
  INTERPRET,
  /** Floating point is off, or its flags or rounding are not those that it was translated for. */
  FLOAT_STATE,
}

/** Regions have numbers below this one, from 1 on; at these the host's table has their functions. */
export const enum RegionNumber {
  END = 4096,
}

/** What a module's own table holds: the way to go on in the engine, and the way to other translated functions. */
export const enum Element {
  GO_ON,
  CALL,
  END,
}

/** What must hold when a region is entered. */
export const enum RegionFlag {
  /** floatReady: it has floating-point instructions. */
  FLOAT = 1,
  /** NX has accrued and rounding is to nearest: it uses Wasm's own operations. */
  FAST_FLOAT = 2,
  /** NX has not accrued: its arithmetic is left to the interpreter. */
  SLOW_FLOAT = 4,
  /** Loads of M-mode reach memory as it is (hart/plain.ts): it does not look into the TLB for them. */
  PLAIN_LOADS = 8,
}

/** Locals that every function has: three parameters, then scratch. */
export const enum FixedLocal {
  STEPS,
  DEPTH,
  MOVED,
  ADDRESS,
  A,
  B,
  C,
  HOST,
  LABEL,
  EXIT,
  COUNT,
}

/** What another local stands for: the first key of each kind. */
export const enum LocalKey {
  X = 0,
  F = 32,
  SINGLE = 64,
  F64_TEMP = 96,
  F32_TEMP = 112,
  /** Host address of a group of accesses: its leader's number is added. */
  GROUP = 128,
  END = 384,
  FIXED = 0xffff,
}

/** Fields of the hart's state in the log's head. */
export const enum HartField {
  TLB,
  JUMPS,
  FLOAT_READY,
  RESERVATION,
  RESERVED_VALUE,
  RESERVED_SIZE,
  COUNT,
}
