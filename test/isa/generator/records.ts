// A program that runs many blocks, each between a given and a recorded state:
//
//   driver   takes one record after the other: loads all registers from it, returns into
//            its block, and at the block's closing ecall stores all registers to it
//   records  registers before, registers after (of two passes), traps taken, scratch memory
//   code     the blocks
//
// The trap vector notes cause, pc and value of every other trap and goes on behind the
// instruction, up to a bound. Two passes, so that each block runs cold and predecoded; more of them for translated code.
// The first pass has a record of its own, the others share one.
import { Assembler } from "./assembler.ts";
import { assemble, type Block } from "./blocks.ts";

/** Registers that hold addresses of scratch memory and are never written by blocks. */
export const BASES = [2, 9, 14];
/** Scratch memory a base can reach below and above itself. */
export const SCRATCH_BEFORE = 128;
const SCRATCH_AFTER = 528;
const SCRATCH_SIZE = SCRATCH_BEFORE + SCRATCH_AFTER;

export interface Registers {
  x: bigint[];
  f: bigint[];
  /** What each base register points at, relative to the scratch memory. */
  offsets: number[];
  fcsr: bigint;
  /** mstatus.FS at the start. */
  fs: number;
}

const MOST_TRAPS = 4;
const F_AT = 256;
const FCSR_AT = 512;
const COUNT_AT = 520;
const TRAPS_AT = 528;
const AFTER_SIZE = TRAPS_AT + 24 * MOST_TRAPS;
// Before the block: x0's place holds the code's address, the counter's place mstatus bits.
const STATUS_AT = 520;
const AFTER_AT = 528;
const SCRATCH_AT = AFTER_AT + 2 * AFTER_SIZE;
export const RECORD_SIZE = SCRATCH_AT + SCRATCH_SIZE;

const VARIABLES = 0x8000_0800;
const RECORDS = 0x8000_1000;
const FINISHER = 0x10_0000;

const enum CsrNumber {
  FCSR = 0x003,
  MSTATUS = 0x300,
  MTVEC = 0x305,
  MSCRATCH = 0x340,
  MEPC = 0x341,
  MCAUSE = 0x342,
  MTVAL = 0x343,
  PMPCFG0 = 0x3a0,
  PMPADDR0 = 0x3b0,
}

const MPP_AND_FS = 0x7800;

export interface Program {
  image: Uint8Array;
  count: number;
}

/** Offset of scratch byte `offset` of record `index`, as an address. */
export function scratchAddress(index: number, offset: number): bigint {
  return BigInt(scratchOf(RECORDS, index) + offset);
}

/** Where the code of the first of `count` blocks begins. */
function codeStart(count: number): number {
  return Math.ceil((RECORDS + count * RECORD_SIZE) / 4096) * 4096;
}

/** Puts blocks into a program. Scratch memory starts as a pattern. */
export function program(blocks: readonly Block[], passes = 2): Program {
  const code = blocks.map((block) => assemble(block.items));
  const bytes = code.reduce((sum, words) => sum + words.length * 4 + 8, 0);
  const padding = blocks.filter((block) => block.beforePageEnd !== undefined).length * 4096;
  const asm = new Assembler(codeStart(blocks.length) - 0x8000_0000 + bytes + padding + 4096);
  driver(asm, blocks.length, passes);
  asm.pc = codeStart(blocks.length);
  blocks.forEach((block, index) => {
    place(asm, block);
    writeRecord(asm, index, block);
    for (const { word, length } of code[index]) {
      if (length === 2) asm.half(word);
      else asm.word(word);
    }
    asm.op("ecall");
  });
  return { image: asm.finish().subarray(0, asm.pc - asm.base), count: blocks.length };
}

function place(asm: Assembler, block: Block): void {
  if (block.beforePageEnd === undefined) return;
  const start = Math.ceil(asm.pc / 4096) * 4096 - block.beforePageEnd;
  asm.pc = start >= asm.pc ? start : start + 4096;
}

function writeRecord(asm: Assembler, index: number, { registers, mode }: Block): void {
  const at = RECORDS + index * RECORD_SIZE;
  writeRegisters(asm, at, registers, scratchOf(RECORDS, index));
  const { view } = asm;
  view.setBigUint64(at - 0x8000_0000, BigInt(asm.pc), true);
  view.setBigUint64(at - 0x8000_0000 + STATUS_AT, BigInt((mode << 11) | (registers.fs << 13)), true);
}

/** Address of the scratch memory of record `index` in an array at `records`. */
export function scratchOf(records: number, index: number): number {
  return records + index * RECORD_SIZE + SCRATCH_AT;
}

/** Fills in the registers of the record at `address`, and its scratch memory. */
export function writeRegisters(asm: Assembler, address: number, registers: Registers, scratch: number): void {
  const at = address - asm.base;
  const { view } = asm;
  registers.x.forEach((value, n) => {
    view.setBigUint64(at + 8 * n, value, true);
  });
  BASES.forEach((base, n) => {
    view.setBigUint64(at + 8 * base, BigInt(scratch + registers.offsets[n]), true);
  });
  registers.f.forEach((value, n) => {
    view.setBigUint64(at + F_AT + 8 * n, value, true);
  });
  view.setBigUint64(at + FCSR_AT, registers.fcsr, true);
  for (let i = 0; i < SCRATCH_SIZE; i++) view.setUint8(scratch - asm.base + i, (i * 29 + (i >> 3) * 101) & 0xff);
}

function driver(asm: Assembler, count: number, passes: number): void {
  const [pass, pointer, end] = [16, 0, 8];
  asm.to("jal", "start", { rd: 0 });
  asm.align(4);
  vector(asm);

  asm.label("start");
  asm.to("jal", "after-vector", { rd: 1 });
  asm.label("after-vector");
  asm.li(5, asm.labels.get("vector")!);
  asm.csrw(CsrNumber.MTVEC, 5);
  asm.li(5, -1);
  asm.csrw(CsrNumber.PMPADDR0, 5);
  asm.li(5, 0x1f);
  asm.csrw(CsrNumber.PMPCFG0, 5);

  asm.label("next");
  asm.li(31, VARIABLES);
  asm.load("ld", 30, pointer, 31);
  asm.load("ld", 29, end, 31);
  asm.to("bltu", "go", { rs1: 30, rs2: 29 });
  asm.load("ld", 28, pass, 31);
  asm.i("addi", 28, 28, 1);
  asm.i("addi", 29, 0, passes);
  asm.to("beq", "finish", { rs1: 28, rs2: 29 });
  asm.store("sd", 28, pass, 31);
  asm.li(30, RECORDS);

  asm.label("go");
  asm.li(28, RECORD_SIZE);
  asm.r("add", 28, 28, 30);
  asm.store("sd", 28, pointer, 31);
  asm.load("ld", 28, pass, 31);
  asm.r("sltu", 28, 0, 28);
  asm.li(29, AFTER_SIZE);
  asm.r("mul", 28, 28, 29);
  asm.i("addi", 28, 28, AFTER_AT);
  asm.r("add", 28, 28, 30);
  asm.csrw(CsrNumber.MSCRATCH, 28);
  asm.store("sd", 0, COUNT_AT, 28);
  asm.load("ld", 28, 0, 30);
  asm.csrw(CsrNumber.MEPC, 28);
  asm.li(28, MPP_AND_FS);
  asm.op("csrrs", { rd: 0, rs1: 28, imm: CsrNumber.MSTATUS });
  for (let n = 0; n < 32; n++) asm.load("fld", n, F_AT + 8 * n, 30);
  asm.load("ld", 29, FCSR_AT, 30);
  asm.csrw(CsrNumber.FCSR, 29);
  asm.op("csrrc", { rd: 0, rs1: 28, imm: CsrNumber.MSTATUS });
  asm.load("ld", 29, STATUS_AT, 30);
  asm.op("csrrs", { rd: 0, rs1: 29, imm: CsrNumber.MSTATUS });
  for (let n = 1; n < 32; n++) if (n !== 30) asm.load("ld", n, 8 * n, 30);
  asm.load("ld", 30, 8 * 30, 30);
  asm.op("mret");

  asm.label("finish");
  asm.li(5, FINISHER);
  asm.li(6, 0x5555);
  asm.store("sw", 6, 0, 5);
  asm.label("end");
  asm.to("jal", "end", { rd: 0 });
  if (asm.pc > VARIABLES) throw new Error("the driver has grown into its variables");
  asm.view.setBigUint64(VARIABLES - 0x8000_0000, BigInt(RECORDS), true);
  asm.view.setBigUint64(VARIABLES - 0x8000_0000 + 8, BigInt(RECORDS + count * RECORD_SIZE), true);
}

/** Entry of all traps. mscratch points at where this pass stores the registers. */
function vector(asm: Assembler): void {
  asm.label("vector");
  asm.op("csrrw", { rd: 31, rs1: 31, imm: CsrNumber.MSCRATCH });
  asm.store("sd", 30, 8 * 30, 31);
  asm.store("sd", 29, 8 * 29, 31);
  asm.csrr(30, CsrNumber.MCAUSE);
  asm.i("andi", 29, 30, -4); // 8 to 11: an ecall
  asm.i("addi", 29, 29, -8);
  asm.to("beq", "done", { rs1: 29, rs2: 0 });
  asm.load("ld", 29, COUNT_AT, 31);
  asm.i("addi", 29, 29, 1);
  asm.store("sd", 29, COUNT_AT, 31);
  asm.i("slli", 30, 29, 3);
  asm.i("slli", 29, 29, 4);
  asm.r("add", 29, 29, 30);
  asm.r("add", 29, 29, 31);
  for (const [i, csr] of [CsrNumber.MCAUSE, CsrNumber.MEPC, CsrNumber.MTVAL].entries()) {
    asm.csrr(30, csr);
    asm.store("sd", 30, TRAPS_AT - 24 + 8 * i, 29);
  }
  asm.load("ld", 29, COUNT_AT, 31);
  asm.i("addi", 30, 0, MOST_TRAPS);
  asm.to("beq", "done", { rs1: 29, rs2: 30 });
  asm.csrr(30, CsrNumber.MEPC);
  asm.load("lhu", 29, 0, 30);
  asm.i("andi", 29, 29, 3);
  asm.i("sltiu", 29, 29, 3);
  asm.i("xori", 29, 29, 1); // 1 if 32 bits
  asm.i("slli", 29, 29, 1);
  asm.r("add", 30, 30, 29);
  asm.i("addi", 30, 30, 2);
  asm.csrw(CsrNumber.MEPC, 30);
  asm.load("ld", 29, 8 * 29, 31);
  asm.load("ld", 30, 8 * 30, 31);
  asm.op("csrrw", { rd: 31, rs1: 31, imm: CsrNumber.MSCRATCH });
  asm.op("mret");

  asm.label("done");
  for (let n = 1; n < 29; n++) asm.store("sd", n, 8 * n, 31);
  asm.csrr(30, CsrNumber.MSCRATCH);
  asm.store("sd", 30, 8 * 31, 31);
  asm.li(30, MPP_AND_FS);
  asm.op("csrrs", { rd: 0, rs1: 30, imm: CsrNumber.MSTATUS });
  for (let n = 0; n < 32; n++) asm.store("fsd", n, F_AT + 8 * n, 31);
  asm.csrr(30, CsrNumber.FCSR);
  asm.store("sd", 30, FCSR_AT, 31);
  asm.to("jal", "next", { rd: 0 });
}

/** What a run left in record `index`: everything but the input. */
export function outcome(image: Uint8Array, index: number): Uint8Array {
  const at = RECORDS - 0x8000_0000 + index * RECORD_SIZE;
  return image.subarray(at + AFTER_AT, at + RECORD_SIZE);
}

/** Where two outcomes differ, in words. */
export function describeDifference(ours: Uint8Array, theirs: Uint8Array): string[] {
  const lines: string[] = [];
  const a = new DataView(ours.buffer, ours.byteOffset);
  const b = new DataView(theirs.buffer, theirs.byteOffset);
  for (let at = 0; at < ours.length; at += 8) {
    const [x, y] = [a.getBigUint64(at, true), b.getBigUint64(at, true)];
    // QEMU 7.2 calls a misaligned AMO a misaligned load (4); the manual says store or AMO (6).
    if (x === 6n && y === 4n && nameOf(at).endsWith("cause")) continue;
    if (x !== y) lines.push(`${nameOf(at)}: 0x${x.toString(16)}, QEMU 0x${y.toString(16)}`);
  }
  return lines;
}

function nameOf(at: number): string {
  if (at >= 2 * AFTER_SIZE) return `scratch+${at - 2 * AFTER_SIZE - SCRATCH_BEFORE}`;
  const inPass = at % AFTER_SIZE;
  const pass = `pass ${1 + Math.floor(at / AFTER_SIZE)} `;
  if (inPass < F_AT) return `${pass}x${inPass / 8}`;
  if (inPass < FCSR_AT) return `${pass}f${(inPass - F_AT) / 8}`;
  if (inPass === FCSR_AT) return `${pass}fcsr`;
  if (inPass === COUNT_AT) return `${pass}traps`;
  const trap = (inPass - TRAPS_AT) / 8;
  return `${pass}trap ${Math.floor(trap / 3)} ${["cause", "pc", "value"][trap % 3]}`;
}
