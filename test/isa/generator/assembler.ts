// Machine code from the instruction table's encoder: a growing image with labels.
import { encode, type Operands } from "../../../src/isa/encode.ts";
import { byName } from "../../../src/isa/table.ts";

/** Register numbers by ABI name. */
export const R: Record<string, number> = Object.fromEntries(
  "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6"
    .split(" ")
    .map((name, n) => [name, n]),
);

interface Fixup {
  at: number;
  name: string;
  operands: Operands;
  label: string;
}

export class Assembler {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Address of byte 0. */
  readonly base: number;
  /** Where the next instruction or datum goes. */
  pc: number;
  readonly labels = new Map<string, number>();
  readonly #fixups: Fixup[] = [];

  constructor(size: number, base = 0x8000_0000) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    this.base = base;
    this.pc = base;
  }

  label(name: string): number {
    if (this.labels.has(name)) throw new Error(`label ${name} twice`);
    this.labels.set(name, this.pc);
    return this.pc;
  }

  align(to: number): number {
    this.pc = Math.ceil(this.pc / to) * to;
    return this.pc;
  }

  half(value: number): void {
    this.view.setUint16(this.pc - this.base, value, true);
    this.pc += 2;
  }

  word(value: number): void {
    this.view.setUint32(this.pc - this.base, value, true);
    this.pc += 4;
  }

  wide(value: bigint): void {
    this.view.setBigUint64(this.pc - this.base, BigInt.asUintN(64, value), true);
    this.pc += 8;
  }

  /** One instruction. */
  op(name: string, operands: Operands = {}): void {
    const code = encode(name, { rm: 0, ...operands });
    if ((code & 3) === 3) this.word(code);
    else this.half(code);
  }

  /** A branch or jal to a label, known or yet to come. */
  to(name: string, label: string, operands: Operands = {}): void {
    this.#fixups.push({ at: this.pc, name, operands, label });
    this.pc += 4;
  }

  // --- what assembly programmers write ---
  r(name: string, rd: number, rs1: number, rs2: number): void {
    this.op(name, { rd, rs1, rs2 });
  }
  i(name: string, rd: number, rs1: number, imm: number): void {
    this.op(name, { rd, rs1, imm });
  }
  load(name: string, rd: number, imm: number, rs1: number): void {
    this.op(name, { rd, rs1, imm });
  }
  store(name: string, rs2: number, imm: number, rs1: number): void {
    this.op(name, { rs1, rs2, imm });
  }
  csrr(rd: number, csr: number): void {
    this.op("csrrs", { rd, rs1: 0, imm: csr });
  }
  csrw(csr: number, rs1: number): void {
    this.op("csrrw", { rd: 0, rs1, imm: csr });
  }

  /** Loads any constant. */
  li(rd: number, value: bigint | number): void {
    const v = BigInt.asIntN(64, BigInt(value));
    if (v === BigInt.asIntN(12, v)) {
      this.i("addi", rd, 0, Number(v));
      return;
    }
    if (v === BigInt.asIntN(32, v)) {
      const low = Number(BigInt.asIntN(12, v));
      const high = Number(BigInt.asIntN(32, v - BigInt(low)));
      this.op("lui", { rd, imm: high });
      if (low !== 0) this.i("addiw", rd, rd, low);
      return;
    }
    const low = BigInt.asIntN(12, v);
    this.li(rd, BigInt.asIntN(64, v - low) >> 12n);
    this.i("slli", rd, rd, 12);
    if (low !== 0n) this.i("addi", rd, rd, Number(low));
  }

  /** Resolves all references to labels. */
  finish(): Uint8Array {
    for (const { at, name, operands, label } of this.#fixups) {
      const target = this.labels.get(label);
      if (target === undefined) throw new Error(`no label ${label}`);
      if (!byName.has(name)) throw new Error(`no instruction ${name}`);
      this.view.setUint32(at - this.base, encode(name, { ...operands, imm: target - at }), true);
    }
    return this.bytes;
  }
}
