// Where everything lives in a guest's linear memory. Both languages import this
// file, so it holds numbers alone. Everything a guest can observe has an address
// here, as plain data; AssemblyScript globals hold only what can be recomputed.
//
//   0x0000_0000  unused (address 0 means "none"; the compiler assumes the first KiB)
//   0x0000_0400  the running hart (see hart/state.ts)
//   0x0000_1000  machine-wide state: clock, run record, interrupt lines, options
//   0x0000_4000  harts that are not running: one 2 KiB image each
//   0x0000_8000  pages that base registers point to (see hart/base-pages.ts)
//   0x0000_a000  hypercalls: what is granted, budgets (see abi/hypercall.ts)
//   0x0001_0000  devices, PAGE apart (see Dev)
//   0x0006_0000  exit counters
//   0x0008_0000  static data of the compiled module (asc --memoryBase)
//   0x0010_0000  software TLBs, 160 KiB a hart
//   0x0024_0000  map from physical page to predecoded slot, 2 bytes a page
//   0x003d_0000  bookkeeping of memory: see Backed and Layout.BALLOON
//   0x0040_8000  which pages TLBs have write tags for: see Layout.WRITE_TAGS
//   0x0041_0000  staging: console rings, DMA bounce, boot ROM
//   0x0050_0000  predecoded instructions (8-byte entries), bounded, evicting
//   0x015f_0000  words that were predecoded before
//   0x0160_0000  the translator: jump caches, regions, the module under construction
//   0x0180_0000  guest RAM (guest physical 0x8000_0000), up to 3 GiB

export const enum Layout {
  HART = 0x400,
  HART_SIZE = 0x800,

  MACHINE = 0x1000,

  HARTS = 0x4000,
  MAX_HARTS = 8,

  BASE_PAGES = 0x8000,
  BASE_PAGES_END = 0x8c20,

  HYPERCALLS = 0xa000,
  HYPERCALLS_END = 0x1_0000,

  DEVICES = 0x1_0000,
  DEVICES_END = 0x6_0000,

  EXIT_COUNTERS = 0x6_0000,
  EXIT_COUNTERS_END = 0x8_0000,

  STATIC_DATA = 0x8_0000,
  STATIC_DATA_END = 0x10_0000,

  TLB = 0x10_0000,
  TLB_HART_SIZE = 0x2_8000,

  CODE_MAP = 0x24_0000,
  CODE_MAP_END = 0x3d_0000,

  /** Memory with a file behind it (memory/backed.ts). */
  BACKED = 0x3d_0000,
  BACKED_END = 0x3f_0000,

  /** A bit for each page of memory that is in the balloon (devices/memory/balloon-pages.ts). */
  BALLOON = 0x3f_0000,
  BALLOON_END = 0x40_8000,

  /** A byte for each page of host memory, by a hash: may a TLB let stores into it through (hart/tlb.ts)? */
  WRITE_TAGS = 0x40_8000,
  WRITE_TAGS_END = 0x41_0000,

  STAGING = 0x41_0000,
  STAGING_END = 0x50_0000,

  CODE_POOL = 0x50_0000,
  CODE_POOL_END = 0x15f_0000,

  /** Instruction words and the entries that they become (code/predecode.ts). */
  KNOWN_WORDS = 0x15f_0000,
  KNOWN_WORDS_END = 0x160_0000,

  TRANSLATOR = 0x160_0000,
  TRANSLATOR_END = 0x180_0000,

  RAM = 0x180_0000,
}

// Machine-wide words, all inside Layout.MACHINE .. +0x3000.
export const enum Machine {
  // --- set by the host before reset ---
  RAM_SIZE = 0x1000, // u32 pages of 4 KiB
  HART_COUNT = 0x1004, // u32
  CPU_EXTENSIONS = 0x1008, // u64, bits of Ext (abi/ext.ts)
  CLOCK = 0x1010, // u32, ClockMode
  BOOT = 0x1014, // u32, BootMode
  WALL_BASE = 0x1018, // u64, nanoseconds since 1970 at guest tick 0
  SEED = 0x1020, // u64
  VIRTUAL_RATE = 0x1028, // u32, instructions per 10 MHz tick in ClockMode.VIRTUAL
  TIER = 0x102c, // u32, Tier
  TAIL_CALLS = 0x1030, // u32, 1 if the host's WebAssembly has them
  CODE_CACHE = 0x1034, // u32, bytes of host memory that translated code may take

  // --- the clock ---
  INSTRUCTIONS = 0x1038, // u64, instructions retired by all harts, whole slices
  SKIPPED = 0x1040, // u64, ticks that the virtual clock jumped over while all harts slept

  // --- the run record, read by the host after run() ---
  EXIT = 0x1050, // u32, Exit
  EXIT_HART = 0x1054, // u32
  EXIT_CODE = 0x1058, // u32, guest's exit status on Exit.POWER_OFF
  DEADLINE = 0x1060, // u64, tick at which the earliest sleeping hart wants to wake; ~0 none

  // --- interrupt lines into the harts ---
  ATTENTION = 0x1070, // u32, non-zero: some line or request changed, look before the next instruction
  CURRENT_HART = 0x1074, // u32
  LINES = 0x1080, // u32 a hart: mip bits driven by devices (MSIP, MTIP, SEIP, MEIP, STIP)
  HART_REQUESTS = 0x10c0, // u32 a hart: HartRequest bits from other harts (remote fences, start)

  // --- where the last trap came from that was not raised by fetching a handler: the story behind Exit.DOUBLE_FAULT ---
  FAULT_PC = 0x1100, // u64
  FAULT_CAUSE = 0x1108, // u64
  FAULT_VALUE = 0x1110, // u64

  /** u32, steps left when translated code came back (see translator/README). */
  STEPS = 0x1118,
  /** u32, place of the indirect jump (translator/insn.ts) that translated code left by, if its targets are to be noted; 0. */
  LAST_JUMP = 0x1120,
  /** u64, the address of that jump. */
  LAST_JUMP_PC = 0x1140,
  /** u32, what translated code says of the access that it came back for (translator/sites.ts). */
  SITE_REPORT = 0x1128,
  /** u32, the region that reports a jump or an access. */
  REPORTER = 0x112c,
  /** i64, how far that region runs from where it was translated. */
  REPORTER_MOVED = 0x1138,
  /** u32, set by the host before reset: where translated regions are logged (abi/translated.ts); 0 if they are not. */
  REGION_LOG = 0x1130,
  /** u32, set by the host before reset: Irqchip. */
  IRQCHIP = 0x1150,
  /** Entropy that the seed CSR has not given out yet (hart/seed.ts): u32 how many bytes, and the bytes. */
  SEED_LEFT = 0x1154,
  SEED_BYTES = 0x1180,
  SEED_BYTES_END = 0x1200,

  SCRATCH = 0x2000, // 8 KiB for test and diagnostic calls from the host
}

/** A hart's software TLB (hart/tlb.ts): banks for U, S, S with SUM set, and whatever else; of each, entries for loads, then for stores. */
export const enum Tlb {
  BANKS = 4,
  BANK = 0x8000,
  WRITE_HALF = 0x4000,
  /** Of an entry, which begins with its page. */
  ADDEND = 8,
}

/** An entry of the jump caches (hart/jumps.ts), which begin at Layout.TRANSLATOR, hart 0's first. */
export const enum Jump {
  TAG = 0,
  FUNCTION = 8,
}

/** Tables of hart/base-pages.ts: for each mode and register an entry for loads and one for stores. */
export const enum BasePage {
  PAGE = 0,
  ADDEND = 8,
  ENTRY = 16,
  TABLE = 1024,
  /** U, S, M. */
  TABLES = 3,
}

/** Host address of the 2 KiB image of hart `h` while another hart runs is HARTS + h * HART_SIZE. */
export const enum ClockMode {
  HOST = 0,
  VIRTUAL = 1,
}

/** Which interrupt controller the machine has. */
export const enum Irqchip {
  /** SiFive PLIC: wires alone. */
  PLIC = 0,
  /** Advanced Interrupt Architecture: an IMSIC in each hart, an APLIC that turns wires into messages. */
  AIA = 1,
}

/** Which tiers run guest code. */
export const enum Tier {
  /** The interpreter, and translated code where it pays. */
  AUTO = 0,
  INTERPRETER = 1,
  /** Translate at the first chance: for tests. */
  TRANSLATOR = 2,
}

export const enum BootMode {
  /** The kernel enters in S-mode; the hypervisor serves SBI. */
  PARAVIRT = 0,
  /** Firmware enters in M-mode at the reset vector; ecalls stay in the guest. */
  FIRMWARE = 1,
}

// Offsets of the running hart's registers from Layout.HART; the CSR part is hart/state.ts.
export const enum HartAt {
  X = 0x400, // i64 x 32, then a sink that x0 writes go to
  X_SINK = 0x500,
  F = 0x508, // u64 x 32 (NaN-boxed)
  FFLAGS = 0x608, // u32, accrued flags: NX 1, UF 2, OF 4, DZ 8, NV 16
  FRM = 0x60c, // u32
  PC = 0x610, // u64
  STATE = 0x618, // the rest: see hart/state.ts
  END = 0xc00,
}

// Guest RAM in guest physical addresses.
export const enum Gpa {
  RAM = 0x8000_0000,
}

/** Offsets from Layout.BACKED: ranges of memory that a disk's contents lie in. */
export const enum Backed {
  /** RANGES entries of {first page u32, pages u32, disk u32, flags u32}; pages 0 is no entry. */
  RANGES_AT = 0x0000,
  RANGE_SIZE = 16,
  RANGES = 8,
  /** A bit for each chunk of memory from Gpa.RAM on: its contents were brought in. */
  PRESENT = 0x1000,
  PRESENT_SIZE = 0x1800,
  CHUNK = 0x1_0000,
  /** A bit for each page: written since its contents were last written back. */
  DIRTY = 0x4000,
  DIRTY_SIZE = 0x1_8000,
}
