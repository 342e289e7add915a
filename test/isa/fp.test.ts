// Floating point against QEMU's user mode, bit for bit with all flags, and the float
// paths against the integer ones. PARAVANE_LONG=1 runs the long form.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "./fp/engine.ts";
import { fewer, fusedTraps, NX, Random, randomRecord, specials, WORDS } from "./fp/operands.ts";
import { operations } from "./fp/operations.ts";
import { missingReference, Reference } from "./fp/reference.ts";

const long = process.env.PARAVANE_LONG === "1";
const missing = missingReference();
if (missing) {
  if (process.env.CI) throw new Error(`the floating-point reference cannot run: ${missing}`);
  console.warn(`floating point is not compared with QEMU: ${missing}`);
}

let engine: Engine;
let reference: Reference | undefined;

beforeAll(async () => {
  engine = await Engine.compile();
  if (!missing) reference = new Reference();
}, 120_000);

afterAll(() => reference?.close());

const hex = (v: bigint) => `0x${v.toString(16)}`;

/** The first few records on which the two disagree, in words. */
function differences(records: Uint32Array): string[] {
  const expected = reference!.run(records);
  const actual = engine.run(records);
  expect(expected.length).toBe(actual.length);
  const found: string[] = [];
  const wide = new BigUint64Array(records.buffer, records.byteOffset, records.length / 2);
  for (let i = 0; i < actual.length && found.length < 10; i += 2) {
    if (actual[i] === expected[i] && actual[i + 1] === expected[i + 1]) continue;
    const at = (i / 2) * WORDS;
    const [a, b, c] = [1, 2, 3].map((k) => hex(wide[at / 2 + k]));
    found.push(
      `${operations[records[at]].name}(${a}, ${b}, ${c}) rm ${records[at + 1] & 0xff} flags ${records[at + 1] >>> 8}: ` +
        `${hex(actual[i])} flags ${actual[i + 1]}, not ${hex(expected[i])} flags ${expected[i + 1]}`,
    );
  }
  return found;
}

/** Each tuple in every rounding mode, with no flags accrued and with NX accrued. */
function inEveryMode(index: number, tuples: bigint[][]): Uint32Array {
  const modes = operations[index].rounds ? [0, 1, 2, 3, 4] : [0];
  const controls = modes.flatMap((rm) => [rm, rm | (NX << 8)]);
  const records = new Uint32Array(tuples.length * controls.length * WORDS);
  const wide = new BigUint64Array(records.buffer);
  let at = 0;
  for (const tuple of tuples) {
    for (const control of controls) {
      records[at] = index;
      records[at + 1] = control;
      for (let k = 0; k < tuple.length; k++) wide[at / 2 + 1 + k] = tuple[k];
      at += WORDS;
    }
  }
  return records;
}

function hardCases(index: number): bigint[][] {
  const { operands, arity } = operations[index];
  if (operands === "i") throw new Error("an integer result is no operand");
  const values = specials[operands];
  if (arity === 1) return values.map((a) => [a]);
  if (arity === 2) {
    const some = long ? values : fewer(values, 64);
    return some.flatMap((a) => some.map((b) => [a, b]));
  }
  const some = fewer(values, long ? 52 : 15);
  const cross = some.flatMap((a) => some.flatMap((b) => some.map((c) => [a, b, c])));
  return [...cross, ...fusedTraps(operands as "s" | "d")];
}

describe.skipIf(missing !== undefined)("against QEMU", () => {
  test.each(operations.map((o, index) => [o.name, index] as const))("%s", { timeout: 600_000 }, (_, index) => {
    expect(differences(inEveryMode(index, hardCases(index)))).toEqual([]);
    const random = new Random(0x5eed + index);
    const count = long ? 200_000 : 4_000;
    const records = new Uint32Array(count * WORDS);
    for (let i = 0; i < count; i++) randomRecord(records, i * WORDS, index, random);
    expect(differences(records)).toEqual([]);
  });
});

describe("float paths against integer paths", () => {
  const kinds = ["add", "multiply", "divide", "square root", "fused multiply-add"];
  for (const width of [32, 64]) {
    test.each(kinds.map((name, op) => [name, op] as const))(`%s, ${width} bits`, { timeout: 120_000 }, (_, op) => {
      expect(engine.exports.fuzz(op, width === 64 ? 1 : 0, 0xf10a + op, long ? 20_000_000 : 300_000)).toBe(0);
    });
  }
});
