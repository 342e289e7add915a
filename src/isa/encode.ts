// Instruction words from the table: what tests and random-sequence generators use.
import type { Compressed, Instruction } from "./extension.ts";
import { byName, compressedInstructions } from "./table.ts";

export interface Operands {
  rd?: number;
  rs1?: number;
  rs2?: number;
  rs3?: number;
  rm?: number;
  uimm?: number;
  /** Immediate or branch offset, in the value the assembly text shows. */
  imm?: number;
}

/** The word (or half-word) that encodes `name` with these operands. Throws if a value does not fit. */
export function encode(name: string, operands: Operands = {}): number {
  const row = byName.get(name) ?? compressedInstructions.find((c) => c.name === name);
  if (!row) throw new Error(`no instruction ${name}`);
  return encodeRow(row, operands);
}

export function encodeRow(row: Instruction | Compressed, operands: Operands): number {
  let word = row.match;
  for (const [name, field] of Object.entries(row.fields)) {
    const value = (operands[name as keyof Operands] ?? field.plus) - field.plus;
    if (value < 0 || value >= 1 << field.width) throw new Error(`${row.name}: ${name} does not fit`);
    word |= value << field.shift;
  }
  if (row.immediate) {
    const value = BigInt(operands.imm ?? 0);
    let back = 0n;
    for (const part of row.immediate.parts) {
      const bits = (value >> BigInt(part.to)) & ((1n << BigInt(part.width)) - 1n);
      word |= Number(bits) << part.from;
      back |= bits << BigInt(part.to);
    }
    const width = row.immediate.bits;
    if (row.immediate.signed) back = BigInt.asIntN(width, back);
    if (back !== value) throw new Error(`${row.name}: immediate ${operands.imm} does not fit`);
  }
  return word >>> 0;
}
