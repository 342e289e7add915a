// The guests of the golden suite: each runs one kind of code often enough to be translated,
// in M-mode without paging, from 0x8000_0000 on. Its data is at 0x8001_0000, in s0.
import { type Assembler, R } from "../../isa/generator/assembler.ts";
import { grantMemory, toUser } from "../../isa/generator/prologue.ts";

const { zero, ra, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5 } = R;
const [FT0, FT1, FT2, FA0, FA1] = [0, 1, 2, 10, 11];

const DATA = 0x8001_0000;
/** Rounds of a program's outer loop. */
const ROUNDS = 160_000;

const MSTATUS = 0x300;
const [MSCRATCH, MEPC, MINSTRET] = [0x340, 0x341, 0xb02];
const MSTATUS_FS = 3 << 13;
const FFLAGS = 1;
const INEXACT = 1;

/** `body` in a loop that counts s1 down, then nothing. */
function repeat(asm: Assembler, body: () => void): void {
  asm.li(s1, ROUNDS);
  asm.label("again");
  body();
  asm.i("addi", s1, s1, -1);
  asm.to("bne", "again", { rs1: s1, rs2: zero });
  asm.label("end");
  asm.to("jal", "end", { rd: zero });
}

/** The same with a function `twice`, which doubles a0, before it. */
function repeatWithTwice(asm: Assembler, body: () => void): void {
  asm.to("jal", "start", { rd: zero });
  asm.label("twice");
  asm.r("add", a0, a0, a0);
  asm.i("jalr", zero, ra, 0);
  asm.label("start");
  repeat(asm, body);
}

/** Switches floating point on; NX has accrued, as it has in any program after its first sums. */
function enableFloat(asm: Assembler): void {
  asm.li(t0, MSTATUS_FS);
  asm.op("csrrs", { rd: zero, rs1: t0, imm: MSTATUS });
  asm.li(t0, INEXACT);
  asm.csrw(FFLAGS, t0);
  for (const [n, value] of [3, 5, 7].entries()) {
    asm.li(t0, value);
    asm.op("fcvt.d.l", { rd: FT0 + n, rs1: t0 });
  }
}

export const programs: Record<string, (asm: Assembler) => void> = {
  "straight-line": (asm) =>
    repeat(asm, () => {
      asm.i("addi", a0, a0, 17);
      asm.r("add", a1, a1, a0);
      asm.r("xor", a2, a1, a0);
      asm.i("slli", a3, a2, 3);
      asm.r("sltu", a4, a3, a1);
      asm.r("addw", a5, a2, a3);
      asm.i("sraiw", a5, a5, 2);
      asm.r("mul", a2, a2, a5);
      asm.r("mulhu", a3, a2, a1);
      asm.r("divu", a4, a3, a5);
      asm.r("sh1add", a0, a4, a0);
      asm.op("rev8", { rd: a1, rs1: a1 });
    }),

  // A rotation and what SHA-256 does with it, in words; then bits of which more than a word is wanted.
  words: (asm) =>
    repeat(asm, () => {
      asm.r("addw", a0, a0, s1);
      asm.i("srliw", a1, a0, 6);
      asm.i("slliw", a2, a0, 26);
      asm.r("or", a1, a1, a2);
      asm.r("xor", a1, a1, a0);
      asm.i("andi", a2, a1, 255);
      asm.r("and", a3, a1, a4);
      asm.r("subw", a4, a1, a3);
      asm.r("or", a5, a4, a5);
    }),

  "loads-and-stores": (asm) =>
    repeat(asm, () => {
      // Sums eight words, and writes each back.
      asm.i("addi", a0, s0, 0);
      asm.i("addi", a1, s0, 32);
      asm.label("words");
      asm.load("lw", a2, 0, a0);
      asm.r("add", a3, a3, a2);
      asm.store("sw", a3, 0, a0);
      asm.i("addi", a0, a0, 4);
      asm.to("bltu", "words", { rs1: a0, rs2: a1 });
      asm.load("lbu", a4, 1, s0);
      asm.store("sd", a3, 40, s0);
    }),

  "pointer-chase": (asm) => {
    // A ring of two cells, pages apart: the base register is what was loaded.
    asm.li(t0, 0x2000);
    asm.r("add", a1, s0, t0);
    asm.store("sd", a1, 0, s0);
    asm.store("sd", s0, 0, a1);
    asm.i("addi", a0, s0, 0);
    repeat(asm, () => {
      asm.load("ld", a2, 8, a0);
      asm.r("add", a3, a3, a2);
      asm.load("ld", a0, 0, a0);
    });
  },

  call: (asm) => {
    repeatWithTwice(asm, () => {
      asm.i("addi", a0, s1, 1);
      asm.to("jal", "twice", { rd: ra });
      asm.r("add", a1, a1, a0);
    });
  },

  "user-mode": (asm) => {
    // What runs in U-mode may be mapped elsewhere: addresses are where it was entered plus a distance.
    grantMemory(asm);
    toUser(asm);
    repeatWithTwice(asm, () => {
      asm.op("auipc", { rd: a0, imm: 0 });
      asm.to("jal", "twice", { rd: ra });
    });
  },

  "leaf-function": (asm) => {
    // Saves a register and reads it again: no loop, where pages are looked up in the TLB.
    asm.i("addi", R.sp, s0, 64);
    asm.to("jal", "start", { rd: zero });
    asm.label("sum");
    asm.i("addi", R.sp, R.sp, -16);
    asm.store("sd", s1, 8, R.sp);
    asm.load("lw", s1, 4, s0);
    asm.r("add", a0, a0, s1);
    asm.load("ld", s1, 8, R.sp);
    asm.i("addi", R.sp, R.sp, 16);
    asm.i("jalr", zero, ra, 0);
    asm.label("start");
    repeat(asm, () => {
      asm.to("jal", "sum", { rd: ra });
    });
  },

  "indirect-jump": (asm) =>
    repeat(asm, () => {
      // Goes to one of two cases, 8 bytes apart, by the round's parity.
      asm.op("auipc", { rd: t2, imm: 0 });
      asm.i("andi", t1, s1, 1);
      asm.i("slli", t1, t1, 3);
      asm.r("add", t2, t2, t1);
      asm.i("jalr", zero, t2, 24);
      asm.op("ebreak");
      asm.i("addi", a0, a0, 1);
      asm.to("jal", "join", { rd: zero });
      asm.i("addi", a1, a1, 1);
      asm.to("jal", "join", { rd: zero });
      asm.label("join");
      asm.r("xor", a2, a0, a1);
    }),

  irreducible: (asm) =>
    repeat(asm, () => {
      // A loop of two blocks that is entered at either.
      asm.i("addi", a0, zero, 4);
      asm.i("andi", t0, s1, 1);
      asm.to("bne", "second", { rs1: t0, rs2: zero });
      asm.label("first");
      asm.i("addi", a1, a1, 1);
      asm.label("second");
      asm.i("addi", a0, a0, -1);
      asm.to("bne", "first", { rs1: a0, rs2: zero });
    }),

  "floating-point": (asm) => {
    enableFloat(asm);
    repeat(asm, () => {
      asm.op("fadd.d", { rd: FA0, rs1: FT0, rs2: FT1 });
      asm.op("fmul.d", { rd: FA1, rs1: FA0, rs2: FT2 });
      asm.op("fmadd.d", { rd: FA0, rs1: FA1, rs2: FT0, rs3: FT1 });
      asm.store("fsd", FA0, 0, s0);
    });
  },

  "floating-point-single": (asm) => {
    enableFloat(asm);
    for (const n of [FT0, FT1, FT2]) asm.op("fcvt.s.d", { rd: n, rs1: n });
    repeat(asm, () => {
      asm.op("fadd.s", { rd: FA0, rs1: FT0, rs2: FT1 });
      asm.op("fmul.s", { rd: FA1, rs1: FA0, rs2: FT2 });
      asm.op("fmadd.s", { rd: FA0, rs1: FA1, rs2: FT0, rs3: FT1 });
      asm.op("flt.s", { rd: a0, rs1: FA0, rs2: FT0 });
    });
  },

  atomics: (asm) =>
    repeat(asm, () => {
      asm.op("amoadd.w", { rd: a0, rs1: s0, rs2: s1 });
      asm.op("amomaxu.d", { rd: a1, rs1: s0, rs2: a0 });
      asm.label("retry");
      asm.op("lr.d", { rd: a2, rs1: s0 });
      asm.i("addi", a2, a2, 1);
      asm.op("sc.d", { rd: a3, rs1: s0, rs2: a2 });
      asm.to("bne", "retry", { rs1: a3, rs2: zero });
    }),

  compressed: (asm) =>
    repeat(asm, () => {
      asm.op("c.mv", { rd: a0, rs2: s0 });
      asm.op("c.ld", { rd: a1, rs1: a0, imm: 8 });
      asm.op("c.addi", { rd: a1, rs1: a1, imm: 1 });
      asm.i("xori", a2, a1, 0x55);
      asm.op("c.sd", { rs1: a0, rs2: a2, imm: 8 });
      asm.op("c.slli", { rd: a2, rs1: a2, imm: 4 });
      asm.op("c.beqz", { rs1: a2, imm: 4 });
      asm.op("c.add", { rd: t2, rs1: t2, rs2: a2 });
    }),

  "page-crossing": (asm) => {
    asm.to("jal", "start", { rd: zero });
    // The loop's first instruction, behind the two that load s1, lies on both pages.
    asm.pc = asm.base + 0x1000 - 2 - 8;
    asm.label("start");
    repeat(asm, () => {
      asm.r("xor", a1, a1, a0);
      asm.store("sd", a1, 0, s0);
    });
  },

  csrs: (asm) =>
    repeat(asm, () => {
      asm.op("csrrw", { rd: a0, rs1: a1, imm: MSCRATCH });
      asm.op("csrrc", { rd: zero, rs1: a1, imm: MEPC });
      asm.op("csrrci", { rd: a1, imm: MSTATUS, uimm: 8 });
    }),

  interpreter: (asm) =>
    repeat(asm, () => {
      // The engine reads a counter, and comes back.
      asm.i("addi", a0, a0, 1);
      asm.csrr(a1, MINSTRET);
      asm.r("add", a0, a0, a1);
    }),
};

/** Where data is, in s0: the beginning of every program. */
export function begin(asm: Assembler): void {
  asm.li(s0, DATA - asm.base);
  asm.op("auipc", { rd: t0, imm: 0 });
  asm.r("add", s0, s0, t0);
  asm.i("andi", s0, s0, -64);
}
