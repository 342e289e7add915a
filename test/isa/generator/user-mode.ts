// The blocks of records.ts under QEMU's user mode: an ELF of its own that loads registers, jumps
// into a block and stores registers, with no traps and no CSRs but fcsr. Two registers are lost
// to it: x31 (the record) and x30 (where the block goes on). On our engine the same bytes run in
// M-mode, and the two Linux calls it makes (write, exit) end the run.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Exit } from "../../../assembly/abi/exit.ts";
import { Gpa, Layout } from "../../../assembly/abi/layout.ts";
import { Register } from "../../../src/engine/exports.ts";
import { Assembler } from "./assembler.ts";
import { assemble, type Block, type Item, isInteger } from "./blocks.ts";
import { startEngine } from "./machines.ts";
import { BASES, RECORD_SIZE, type Registers, scratchOf, writeRegisters } from "./records.ts";
import { QEMU_USER } from "./requirements.ts";

const BASE = 0x8000_0000;
const RECORDS = BASE + 0x1000;
const F_AT = 256;
const FCSR_AT = 512;
const EXIT = 93;
const WRITE = 64;
const FINISHER = 0x10_0000;

/** Registers that blocks of this form must not write. */
export const RESERVED = [30, 31];

export interface UserProgram {
  image: Uint8Array;
  /** Where our engine goes instead of a kernel. */
  stop: number;
  /** Bytes of records. */
  length: number;
}

/** Items that trap or write what the driver needs. */
export function fitsUserMode(item: Item, registers: Registers): boolean {
  if (((registers.fcsr >> 5n) & 7n) > 4n) return false;
  return item.steps.every(({ row, operands }, n) => {
    if (row.fields.rm && (operands.rm === 5 || operands.rm === 6)) return false;
    // frm could become a mode that does not exist, and dynamic rounding trap.
    if (row.extension === "ZICSR" && operands.imm !== 1) return false;
    if (RESERVED.includes(operands.rd ?? 0) && isInteger(row, "rd")) return false;
    if (!row.name.startsWith("amo")) return true;
    const { rs1, imm } = item.steps[n - 1].operands;
    const offset = registers.offsets[BASES.indexOf(rs1!)] + imm!;
    return offset % (row.name.endsWith(".w") ? 4 : 8) === 0;
  });
}

export function userScratch(index: number, offset: number): bigint {
  return BigInt(scratchOf(RECORDS, index) + offset);
}

export function userProgram(blocks: readonly Block[]): UserProgram {
  const code = blocks.map((block) => assemble(block.items));
  const start = Math.ceil((RECORDS + blocks.length * RECORD_SIZE) / 4096) * 4096;
  const size = start - BASE + code.reduce((sum, words) => sum + 4 * words.length + 8, 0);
  const asm = new Assembler(size, BASE);
  const end = RECORDS + blocks.length * RECORD_SIZE;
  asm.li(31, RECORDS);
  asm.label("next");
  for (let n = 0; n < 32; n++) asm.load("fld", n, F_AT + 8 * n, 31);
  asm.load("ld", 30, FCSR_AT, 31);
  asm.csrw(3, 30);
  for (let n = 1; n < 30; n++) asm.load("ld", n, 8 * n, 31);
  asm.load("ld", 30, 0, 31);
  asm.i("jalr", 30, 30, 0);
  for (let n = 1; n < 30; n++) asm.store("sd", n, 8 * n, 31);
  for (let n = 0; n < 32; n++) asm.store("fsd", n, F_AT + 8 * n, 31);
  asm.csrr(30, 3);
  asm.store("sd", 30, FCSR_AT, 31);
  asm.li(30, RECORD_SIZE);
  asm.r("add", 31, 31, 30);
  asm.li(30, end);
  asm.to("bltu", "next", { rs1: 31, rs2: 30 });
  asm.li(10, 1);
  asm.li(11, RECORDS);
  asm.li(12, end - RECORDS);
  asm.li(17, WRITE);
  asm.op("ecall");
  asm.i("addi", 10, 0, 0);
  asm.li(17, EXIT);
  asm.op("ecall");
  const stop = asm.pc;
  asm.li(5, FINISHER);
  asm.li(6, 0x5555);
  asm.store("sw", 6, 0, 5);
  if (asm.pc > RECORDS) throw new Error("the driver has grown into its records");
  asm.pc = start;
  blocks.forEach((block, index) => {
    writeRegisters(asm, RECORDS + index * RECORD_SIZE, block.registers, scratchOf(RECORDS, index));
    asm.view.setBigUint64(RECORDS - BASE + index * RECORD_SIZE, BigInt(asm.pc), true);
    for (const { word, length } of code[index]) {
      if (length === 2) asm.half(word);
      else asm.word(word);
    }
    asm.i("jalr", 0, 30, 0);
  });
  return { image: asm.finish(), stop, length: end - RECORDS };
}

/** An executable that Linux loads at BASE, all of it one segment. */
function elf(image: Uint8Array): Uint8Array {
  const HEADERS = 4096;
  const file = new Uint8Array(HEADERS + image.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 243, true); // EM_RISCV
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(BASE), true);
  view.setBigUint64(32, 64n, true);
  view.setUint32(48, 5, true); // compressed, double-precision ABI
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true); // PT_LOAD
  view.setUint32(68, 7, true);
  view.setBigUint64(72, BigInt(HEADERS), true);
  view.setBigUint64(80, BigInt(BASE), true);
  view.setBigUint64(88, BigInt(BASE), true);
  view.setBigUint64(96, BigInt(image.length), true);
  view.setBigUint64(104, BigInt(image.length), true);
  view.setBigUint64(112, 4096n, true);
  file.set(image, HEADERS);
  return file;
}

/** The records after a run under QEMU's user mode. */
export function runUserQemu({ image, length }: UserProgram): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "paravane-user-"));
  try {
    const path = join(folder, "blocks");
    writeFileSync(path, elf(image), { mode: 0o755 });
    const { status, stdout, stderr, signal } = spawnSync(QEMU_USER, [path], { maxBuffer: 1 << 28, timeout: 120_000 });
    if (status !== 0 || stdout.length !== length)
      throw new Error(`${QEMU_USER} ended with ${status ?? signal}: ${stderr}`);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same on our engine. */
export function runUserEngine({ image, stop, length }: UserProgram): Uint8Array {
  const engine = startEngine(image);
  engine.exports.setReg(0, Register.CSR + 0x300, 3n << 13n);
  engine.exports.setReg(0, Register.CSR + 0x305, BigInt(stop));
  for (let n = 0; n < 200; n++) {
    const exit = engine.exports.run(1_000_000);
    const at = Layout.RAM + RECORDS - Gpa.RAM;
    if (exit === Exit.POWER_OFF) return engine.bytes.subarray(at, at + length);
    if (exit !== Exit.BUDGET) throw new Error(`the engine ended with exit ${exit}`);
  }
  throw new Error("the engine did not end");
}
