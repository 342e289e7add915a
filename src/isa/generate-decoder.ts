// The decoder: a switch on the major opcode and funct3, then masks in table order; and
// one extraction function for each distinct arrangement of fields.
import type { Compressed, Field, Immediate, Instruction } from "./extension.ts";
import { HEAD, opName } from "./generate-ops.ts";
import { byName, compressedInstructions, instructions } from "./table.ts";

type Row = Instruction | Compressed;

const hex = (n: number) => `0x${(n >>> 0).toString(16)}`;

function fieldValue(field: Field): string {
  const raw = `((w >> ${field.shift}) & ${(1 << field.width) - 1})`;
  return field.plus ? `(${raw} + ${field.plus})` : raw;
}

function immediateValue(immediate: Immediate): string {
  const terms = immediate.parts.map(({ from, to, width }) => {
    const mask = hex(((2 ** width - 1) * 2 ** to) >>> 0);
    const shift = from - to;
    const shifted = shift > 0 ? `(w >> ${shift})` : shift < 0 ? `(w << ${-shift})` : "w";
    return `(${shifted} & ${mask})`;
  });
  const value = terms.join(" | ");
  if (!immediate.signed) return `<i32>(${value})`;
  const unused = 32 - immediate.bits;
  return unused ? `(<i32>((${value}) << ${unused})) >> ${unused}` : `<i32>(${value})`;
}

/** Statements that fill an entry from the word `x`. Rows with the same statements share a shape. */
function extraction(row: Row): string {
  const base = "base" in row ? byName.get(row.base)! : row;
  const fixed = "base" in row ? row.fixed : {};
  const text = base.operands.join(" ");
  const file = (register: string) => (new RegExp(`\\bf${register.slice(1)}\\b`).test(text) ? "F" : "X");
  const statements: string[] = [];
  for (const register of ["rd", "rs1", "rs2", "rs3"] as const) {
    const field = row.fields[register];
    const constant = register === "rs3" ? undefined : fixed[register];
    const value = constant !== undefined ? `${constant}` : field ? fieldValue(field) : undefined;
    if (value === undefined) continue;
    const prefix = register === "rd" ? "d" : "s";
    const kind = file(prefix === "d" ? "rd" : register) === "F" ? "f" : prefix === "d" ? "xd" : "x";
    statements.push(`e.${register} = ${kind}(${value});`);
  }
  if (row.fields.rm) statements.push(`e.rm = <u8>${fieldValue(row.fields.rm)};`);
  if (row.immediate) {
    const value = immediateValue(row.immediate);
    statements.push(`e.imm = ${row.fields.uimm ? `${value} | (${fieldValue(row.fields.uimm)} << 12)` : value};`);
  }
  statements.push(`e.size = ${row.length};`);
  return statements.join(" ");
}

function condition(row: Row): string {
  const terms = [`(w & ${hex(row.mask)}) == ${hex(row.match)}`];
  if ("base" in row && row.nonZero) {
    const bits =
      row.nonZero === "imm"
        ? row.immediate!.parts.map((p) => ((2 ** p.width - 1) * 2 ** p.from) >>> 0).reduce((s, b) => s | b, 0)
        : ((1 << row.fields[row.nonZero]!.width) - 1) << row.fields[row.nonZero]!.shift;
    terms.push(`(w & ${hex(bits)}) != 0`);
  }
  if (row.extension !== "I") terms.push(`has(extensions, Ext.${row.extension})`);
  return terms.join(" && ");
}

export function generateDecoder(): string {
  const shapes = new Map<string, number>();
  const leaf = (row: Row) => {
    const text = extraction(row);
    if (!shapes.has(text)) shapes.set(text, shapes.size);
    const op = opName("base" in row ? row.base : row.name);
    return `if (${condition(row)}) return (${shapes.get(text)} << 16) | Op.${op};`;
  };
  const wide = group(
    instructions,
    (i) => (i.match >>> 2) & 31,
    (i) => groupFunct3(i),
  );
  const narrow = group(
    compressedInstructions,
    (i) => ((i.match >>> 13) & 7) * 4 + (i.match & 3),
    () => [-1],
  );
  const wideText = [...wide].map(([opcode, by3]) => {
    const always = by3.get(-1) ?? [];
    const cases = [...by3]
      .filter(([f]) => f >= 0)
      .map(
        ([f, list]) => `        case ${f}:\n${list.map((r) => `          ${leaf(r)}`).join("\n")}\n          break;`,
      );
    const inner = cases.length ? `      switch ((w >> 12) & 7) {\n${cases.join("\n")}\n      }\n` : "";
    const rest = always.map((r) => `      ${leaf(r)}\n`).join("");
    return `    case ${opcode}:\n${inner}${rest}      break;`;
  });
  const narrowText = [...narrow].map(
    ([key, by]) =>
      `    case ${key}:\n${by
        .get(-1)!
        .map((r) => `      ${leaf(r)}`)
        .join("\n")}\n      break;`,
  );
  const shapeText = [...shapes].map(([text, n]) => `    case ${n}: ${text} break;`);
  return `${HEAD}
import { Ext } from "../abi/ext";
import { HartAt } from "../abi/layout";
import { Decoded } from "./entry";
import { Op } from "./op.gen";

// @ts-ignore: decorator
@inline
function has(extensions: u64, bit: u64): bool {
  return ((extensions >> bit) & 1) != 0;
}
// @ts-ignore: decorator
@inline
function x(n: u32): u16 {
  return <u16>(HartAt.X + n * 8);
}
// @ts-ignore: decorator
@inline
function f(n: u32): u16 {
  return <u16>(HartAt.F + n * 8);
}
// Writes to x0 go to a sink, so that no instruction need look.
// @ts-ignore: decorator
@inline
function xd(n: u32): u16 {
  return n == 0 ? <u16>HartAt.X_SINK : <u16>(HartAt.X + n * 8);
}

function recognise32(w: u32, extensions: u64): u32 {
  switch ((w >> 2) & 31) {
${wideText.join("\n")}
  }
  return Op.ILLEGAL;
}

function recognise16(w: u32, extensions: u64): u32 {
  if (!has(extensions, Ext.C)) return Op.ILLEGAL;
  switch (((w >> 13) << 2) | (w & 3)) {
${narrowText.join("\n")}
  }
  return Op.ILLEGAL;
}

/** Fills \`e\` with the instruction \`word\` (its low half if compressed) as \`extensions\` allow. */
export function decode(word: u32, e: Decoded, extensions: u64): void {
  const narrow = (word & 3) != 3;
  const w = narrow ? word & 0xffff : word;
  const found = narrow ? recognise16(w, extensions) : recognise32(w, extensions);
  e.op = <u16>found;
  if (<u16>found == Op.ILLEGAL) {
    e.imm = <i32>w;
    e.size = narrow ? 2 : 4;
    return;
  }
  extract(w, e, found >> 16);
}

function extract(w: u32, e: Decoded, shape: u32): void {
  switch (shape) {
${shapeText.join("\n")}
  }
}
`;
}

function groupFunct3(row: Row): number[] {
  return ((row.mask >>> 12) & 7) === 7 ? [(row.match >>> 12) & 7] : [-1];
}

function group<T extends Row>(rows: readonly T[], key: (row: T) => number, inner: (row: T) => number[]) {
  const groups = new Map<number, Map<number, T[]>>();
  for (const row of rows) {
    const by = groups.get(key(row)) ?? new Map<number, T[]>();
    groups.set(key(row), by);
    for (const k of inner(row)) by.set(k, [...(by.get(k) ?? []), row]);
  }
  return groups;
}
