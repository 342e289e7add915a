// What the operations are fed: hard cases by hand, and random values that lean towards
// the places where rounding, exponents and exceptions meet.
import { type Kind, operations } from "./operations.ts";

/** A record: u32 operation, u32 control, u64 a, b, c. */
export const WORDS = 8;

export const NX = 1;

const float = new Float64Array(1);
const floatBits = new BigUint64Array(float.buffer);
const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

export function bits64(x: number): bigint {
  float[0] = x;
  return floatBits[0];
}

export function bits32(x: number): bigint {
  single[0] = x;
  return BigInt(singleBits[0]);
}

function formatValues(p: bigint, bias: bigint, encode: (x: number) => bigint): bigint[] {
  const one = 1n << p;
  const infinity = (2n * bias + 1n) << p;
  const power = (e: number) => encode(2 ** e);
  const values = [
    0n,
    1n, // smallest subnormal
    2n,
    3n,
    one / 2n,
    one - 1n, // largest subnormal
    one, // smallest normal
    one + 1n,
    2n * one - 1n,
    2n * one,
    3n * one,
    // factors whose product is about the smallest normal number
    ((bias / 2n + 1n) << p) - 1n,
    (bias / 2n + 1n) << p,
    ((bias / 2n + 1n) << p) + 1n,
    (bias - p) << p, // an ulp of 2
    (bias - p - 1n) << p, // an ulp of 1, half of it just below
    ((bias - p - 1n) << p) + 1n,
    ((bias - p - 1n) << p) - 1n,
    encode(0.5) - 1n,
    encode(0.5),
    encode(0.5) + 1n,
    encode(1) - 1n,
    encode(1),
    encode(1) + 1n,
    encode(1) + 2n,
    encode(1.5),
    encode(1.5) + 1n,
    encode(2) - 1n,
    encode(2),
    encode(2) + 1n,
    encode(2.5),
    encode(3),
    encode(1 / 3),
    encode(7.5),
    encode(2 ** 24 - 1),
    encode(2 ** 24 + 2),
    encode(2 ** 31 - 1),
    encode(2 ** 31 - 0.5),
    encode(2 ** 32 - 1),
    encode(2 ** 32 - 0.5),
    encode(2 ** 31 + 0.5),
    encode(2 ** 31 + 1),
    ...[31, 32, 52, 53, 54, 62, 63, 64].flatMap((e) => [power(e) - 1n, power(e), power(e) + 1n]),
    (2n * bias - 1n) << p, // half of the top binade
    ((2n * bias) << p) - 1n,
    (2n * bias) << p,
    infinity - 2n,
    infinity - 1n, // largest finite
    infinity,
    infinity + 1n, // signaling NaNs
    infinity + one / 2n - 1n,
    infinity + one / 2n, // quiet NaNs
    infinity + one - 1n,
  ];
  const top = p === 52n ? 1n << 63n : 1n << 31n;
  return [...new Set(values.flatMap((v) => [v, v | top]))];
}

/** Binary64 values at the edges of binary32: overflow, underflow, ties, one bit past a tie. */
function narrowingEdges(): bigint[] {
  const values = [
    2 ** -126,
    2 ** -126 * (1 - 2 ** -24),
    2 ** -126 * (1 - 2 ** -25),
    2 ** -126 - 2 ** -149,
    2 ** -149,
    2 ** -150,
    3 * 2 ** -150,
    (2 - 2 ** -23) * 2 ** 127,
    (2 - 2 ** -24) * 2 ** 127,
    (2 - 2 ** -25) * 2 ** 127,
    1 + 2 ** -24,
    1 + 3 * 2 ** -24,
    1 + 2 ** -23,
  ];
  return values.flatMap((x) => [-1n, 0n, 1n].flatMap((d) => [bits64(x) + d, (bits64(x) + d) | (1n << 63n)]));
}

function integerValues(): bigint[] {
  const values = [0n, 1n, 2n, 3n, 0xaaaa_aaaa_aaaa_aaaan, 0x5555_5555_5555_5555n];
  for (let e = 7n; e < 65n; e++) for (const d of [-2n, -1n, 0n, 1n, 2n]) values.push((1n << e) + d);
  for (const p of [24n, 53n]) {
    for (let e = p; e < 64n; e++) {
      const tie = (1n << e) + (1n << (e - p));
      values.push(tie - 1n, tie, tie + 1n, tie + (2n << (e - p)));
    }
  }
  return [...new Set(values.flatMap((v) => [BigInt.asUintN(64, v), BigInt.asUintN(64, -v)]))];
}

const double64 = formatValues(52n, 1023n, bits64);
const single32 = formatValues(23n, 127n, bits32);
const integers = integerValues();

export const specials: Record<Exclude<Kind, "i">, bigint[]> = {
  d: [...new Set([...double64, ...narrowingEdges()])],
  s: single32,
  w: [...new Set(integers.map((v) => BigInt.asIntN(32, v)))].map((v) => BigInt.asUintN(64, v)),
  x: integers,
};

/** Triples for the fused operation that cancel, tie, or round twice when done carelessly. */
export function fusedTraps(kind: "s" | "d"): bigint[][] {
  const encode = kind === "d" ? bits64 : bits32;
  const p = kind === "d" ? 52 : 23;
  const least = kind === "d" ? -1022 : -126;
  const top = kind === "d" ? 1023 : 127;
  const ulp = 2 ** -p;
  const traps: number[][] = [];
  for (const k of [1, 2, 3, 5]) {
    const x = 1 + k * ulp;
    const y = 1 - k * ulp;
    traps.push([x, x, -(1 + 2 * k * ulp)], [x, y, -1], [x, x, -1], [x, y, 1], [x, 1.5, ulp / 2], [y, y, 2 ** -(2 * p)]);
    for (const e of [p, p + 1, p + 2, 2 * p, 2 * p + 1, 2 * p + 2, 3 * p]) {
      traps.push(
        [x, x, 2 ** e],
        [x, x, -(2 ** e)],
        [x, y, 2 ** -e],
        [x, y, -(2 ** -e)],
        [1, x, 2 ** -e],
        [1, x, -(2 ** -e)],
      );
      traps.push([x, 2 ** -e, 1], [x, -(2 ** -e), 1], [y, 2 ** -e, x], [1, 2 ** -e * (1 + ulp), x], [1, -(2 ** -e), x]);
    }
    // about the smallest normal number, and about half of the smallest subnormal one
    for (const e of [least, least - 1, least - p, least - p - 1]) {
      const h = Math.trunc(e / 2);
      traps.push([x * 2 ** h, y * 2 ** (e - h), 0], [x * 2 ** h, y * 2 ** (e - h), 2 ** (least - p)]);
      traps.push([y * 2 ** h, 2 ** (e - h), 2 ** least], [y * 2 ** h, -(2 ** (e - h)), 2 ** least]);
    }
    // about overflow
    traps.push(
      [x * 2 ** (top - 1), 2, -(2 ** (top - p - 1))],
      [y * 2 ** top, 1 + ulp, 0],
      [y * 2 ** top, 1, 2 ** (top - p - 1)],
    );
    traps.push([x * 2 ** top, 2, -(2 ** top)], [x * 2 ** top, y * 2, -(x * 2 ** top)]);
  }
  // A product that exceeds 1 by far less than an ulp, beside an addend that makes 1 half an ulp.
  const i = Math.floor(Math.sqrt(2 ** p + 0.25) + 0.5);
  for (const c of [2 ** (p + 1), 2 ** (p + 1) + 2, 2 ** (p + 2) - 2]) {
    for (const sign of [1, -1]) traps.push([1 + i * ulp, 1 - (i - 1) * ulp, sign * c]);
  }
  return traps.flatMap((t) => [t.map(encode), [encode(-t[0]), encode(t[1]), encode(-t[2])]]);
}

/** A few values of each region, for cross products of three. */
export function fewer(values: bigint[], count: number): bigint[] {
  const step = values.length / count;
  return Array.from({ length: count }, (_, i) => values[Math.floor(i * step)]);
}

export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 1;
  }

  /** 32 bits, Marsaglia's xorshift through a multiplication. */
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return Math.imul(x, 0x9e3779b1) >>> 0;
  }

  below(n: number): number {
    return Math.floor((this.next() / 2 ** 32) * n);
  }
}

/** Fills a binary64 or binary32 at words[at], words[at + 1]; `centre` is an exponent field to lean to. */
function randomFloat(words: Uint32Array, at: number, random: Random, double: boolean, centre: number): void {
  const bias = double ? 1023 : 127;
  const top = 2 * bias + 1;
  let field = random.below(top + 1);
  const lean = random.below(8);
  if (lean < 3) field = centre + random.below(7) - 3;
  else if (lean < 5) field = centre + random.below(double ? 240 : 110) - (double ? 120 : 55);
  else if (lean === 5) field = random.below(2) ? random.below(3) : top - random.below(3);
  field = Math.min(Math.max(field, 0), top);
  let high = random.next();
  let low = random.next();
  // Fractions of few ones, of few zeros, or of two runs make ties and long carries.
  const shape = random.below(6);
  if (shape < 3) {
    const cut = random.below(double ? 53 : 24);
    const highMask = cut >= 32 ? 0xffffffff << (cut - 32) : 0xffffffff;
    const lowMask = cut >= 32 ? 0 : 0xffffffff << cut;
    const run = double ? [highMask, lowMask] : [cut >= 24 ? 0 : 0xffffffff << cut, 0];
    if (shape === 0) [high, low] = [high & run[0], double ? low & run[1] : 0];
    else if (shape === 1) [high, low] = [high | run[0], low | run[1]];
    else [high, low] = [double ? highMask : run[0], double ? lowMask : 0];
    if (random.below(2)) {
      if (double) low ^= 1 << random.below(3);
      else high ^= 1 << random.below(3);
    }
  }
  const sign = random.next() & 0x80000000;
  if (double) {
    words[at] = low;
    words[at + 1] = sign | (field << 20) | (high & 0xfffff);
  } else {
    words[at] = sign | (field << 23) | (high & 0x7fffff);
    words[at + 1] = 0;
  }
}

function randomInteger(words: Uint32Array, at: number, random: Random, narrow: boolean): void {
  let v = BigInt.asIntN(64, (BigInt(random.next()) << 32n) | BigInt(random.next()));
  v >>= BigInt(random.below(64));
  if (random.below(3) === 0) v &= -1n << BigInt(random.below(64));
  v = BigInt.asUintN(64, narrow ? BigInt.asIntN(32, v) : v);
  words[at] = Number(v & 0xffffffffn);
  words[at + 1] = Number(v >> 32n);
}

/** One random record of an operation; its rounding mode and preset flags are random too. */
export function randomRecord(records: Uint32Array, at: number, index: number, random: Random): void {
  const { operands, arity, name } = operations[index];
  records[at] = index;
  records[at + 1] = random.below(2) ? random.below(5) | (NX << 8) : random.below(2) ? 0 : random.below(5);
  if (operands === "w" || operands === "x") {
    randomInteger(records, at + 2, random, operands === "w");
    return;
  }
  const double = operands === "d";
  const bias = double ? 1023 : 127;
  const words = double ? 1 : 0;
  const field = (k: number) =>
    double ? (records[at + 2 * k + 1] >>> 20) & 0x7ff : (records[at + 2 * k] >>> 23) & 0xff;
  const converts = name.includes("To");
  randomFloat(records, at + 2, random, double, bias + (converts ? random.below(68) - 2 : 0));
  if (arity === 1) return;
  // Aim the result at the middle, at underflow or at overflow.
  const aim = random.below(4);
  const target = aim < 2 ? bias : aim === 2 ? random.below(3) - (random.below(2) ? (double ? 52 : 23) : 0) : 2 * bias;
  const product = name.startsWith("mul") || name.startsWith("fma");
  const quotient = name.startsWith("div");
  const centre = product ? target + bias - field(1) : quotient ? field(1) + bias - target : field(1);
  randomFloat(records, at + 4, random, double, centre);
  if (!product && !quotient && random.below(3) === 0) {
    // The same value but for the sign and a few last bits.
    records[at + 4] = records[at + 2] ^ random.below(4);
    records[at + 5] = records[at + 3];
    records[at + 4 + words] ^= random.next() & 0x80000000;
  }
  if (arity === 2) return;
  const ulps = random.below(9) - 4;
  if (random.below(3) === 0) {
    // c is the rounded product, negated as a rule, give or take a few units.
    if (double) {
      const pair = new Float64Array(records.buffer, records.byteOffset + 4 * (at + 2), 3);
      pair[2] = pair[0] * pair[1];
    } else {
      const pair = new Float32Array(records.buffer, records.byteOffset + 4 * (at + 2), 5);
      pair[4] = pair[0] * pair[2];
      records[at + 7] = 0;
    }
    records[at + 6] += ulps;
    if (random.below(8)) records[at + 6 + words] ^= 0x80000000;
  } else {
    randomFloat(
      records,
      at + 6,
      random,
      double,
      field(1) + field(2) - bias + (random.below(2) ? 0 : random.below(120) - 60),
    );
  }
}
