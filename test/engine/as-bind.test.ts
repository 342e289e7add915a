// Strings and arrays across the boundary, both ways, through as-bind on today's runtime:
// a module compiled here with our transform, as build/inspect.wasm is.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import asc from "assemblyscript/asc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { instantiateBound } from "../../src/engine/as-bind.ts";
import { loadInspect } from "../../src/engine/inspect.ts";

const SOURCE = `
  // @ts-ignore: decorator
  @external("test", "heard")
  declare function heard(text: string): void;

  function twice(x: i32): i32 { return x * 2; }
  export { twice as double };
  export * from "./more";

  export function greet(name: string): string { heard(name); return "hello " + name; }
  export function words(text: string): string[] { return text.split(" "); }
  export function joined(parts: string[]): string { return parts.join("|"); }
  export function sum(values: i32[]): i32 { let s = 0; for (let i = 0; i < values.length; i++) s += values[i]; return s; }
  export function halves(flags: bool[]): f32[] { return flags.map<f32>((flag: bool): f32 => flag ? 0.5 : 0); }
  export function tail(bytes: Uint8Array): Uint8Array { return bytes.subarray(1); }
  export function scaled(values: Float64Array): Float64Array { return values.map((value: f64): f64 => value * 2); }
  export function negated(values: Int16Array): Int16Array { return values.map((value: i16): i16 => -value); }
  export function first(values: Int64Array): i64 { return values[0]; }
  export function fixed(values: StaticArray<u16>): StaticArray<u16> { return StaticArray.fromArray([values[1], values[0]]); }
  export function cut(buffer: ArrayBuffer): ArrayBuffer { return buffer.slice(1); }
  export function nothing(): string | null { return null; }
`;
const MORE =
  "export function transposed(rows: i32[][]): i32[][] { return [[rows[0][0], rows[1][0]], [rows[0][1], rows[1][1]]]; }";

interface Sample {
  double(x: number): number;
  greet(name: string): string;
  words(text: string): string[];
  joined(parts: string[]): string;
  sum(values: number[]): number;
  halves(flags: boolean[]): number[];
  tail(bytes: Uint8Array): Uint8Array;
  scaled(values: Float64Array): Float64Array;
  negated(values: Int16Array): Int16Array;
  first(values: BigInt64Array): bigint;
  fixed(values: number[]): number[];
  cut(buffer: ArrayBuffer): ArrayBuffer;
  nothing(): string | null;
  transposed(rows: number[][]): number[][];
}

let folder: string;
let sample: Sample;
const heard: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "paravane-as-bind-"));
  writeFileSync(join(folder, "index.ts"), SOURCE);
  writeFileSync(join(folder, "more.ts"), MORE);
  const wasm = join(folder, "sample.wasm");
  const flags = ["--config", "none", "--runtime", "minimal", "--exportRuntime", "-O3"];
  const transform = ["--transform", "./scripts/asbind-transform.mjs"];
  const { error, stderr } = await asc.main([join(folder, "index.ts"), "-o", wasm, ...flags, ...transform]);
  if (error) throw new Error(stderr.toString());
  sample = await instantiateBound<Sample>(readFileSync(wasm), { test: { heard: (text: string) => heard.push(text) } });
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("values across the boundary", () => {
  it("strings, whatever their characters, in results and in calls back to the host", () => {
    const name = "wörld \u{1F600}\0 end";
    expect(sample.greet(name)).toBe(`hello ${name}`);
    expect(heard).toEqual([name]);
    expect(sample.greet("x".repeat(100_000))).toHaveLength(100_006);
    expect(sample.nothing()).toBeNull();
  });

  it("arrays of strings, numbers, flags and arrays", () => {
    expect(sample.words("a bc  é")).toEqual(["a", "bc", "", "é"]);
    expect(sample.joined(["a", "", "bc"])).toBe("a||bc");
    expect(sample.sum([1, -2, 40])).toBe(39);
    expect(sample.sum([])).toBe(0);
    expect(sample.halves([true, false, true])).toEqual([0.5, 0, 0.5]);
    expect(sample.fixed([7, 65_535])).toEqual([65_535, 7]);
    expect(
      sample.transposed([
        [1, 2],
        [3, 4],
      ]),
    ).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  it("typed arrays of every width, and views that begin within their buffer", () => {
    expect(sample.tail(Uint8Array.of(1, 2, 255))).toEqual(Uint8Array.of(2, 255));
    expect(sample.scaled(Float64Array.of(1.5, -2))).toEqual(Float64Array.of(3, -4));
    expect(sample.negated(Int16Array.of(300, -7))).toEqual(Int16Array.of(-300, 7));
    expect(sample.first(BigInt64Array.of(-5n))).toBe(-5n);
    expect(new Uint8Array(sample.cut(Uint8Array.of(1, 2, 3).buffer))).toEqual(Uint8Array.of(2, 3));
  });

  it("typed arrays come back as copies", () => {
    const before = sample.tail(Uint8Array.of(0, 1, 2));
    sample.tail(Uint8Array.of(9, 9, 9));
    expect(before).toEqual(Uint8Array.of(1, 2));
  });

  it("functions exported under another name, or from another file", () => {
    expect(sample.double(21)).toBe(42);
  });

  it("the wrong number of arguments is an error", () => {
    expect(() => (sample.sum as () => number)()).toThrow(/Expected 1 arguments, got 0/);
  });

  it("survives many calls: garbage is collected, and nothing alive with it", () => {
    for (let i = 0; i < 40_000; i++) {
      if (sample.joined([`${i}`, "y".repeat(i % 50)]) !== `${i}|${"y".repeat(i % 50)}`) throw new Error(`call ${i}`);
    }
  });
});

describe("the inspect module", () => {
  it("disassembles, with the target of a branch", async () => {
    const inspect = await loadInspect(readFileSync("build/inspect.wasm"));
    expect(inspect.disassemble(0x8000_0000, 0xffff_ffff, 0x00c5_8533)).toBe("add a0, a1, a2");
    expect(inspect.disassemble(0x1000, 0, 0x0000_006f)).toMatch(/^j(al)? .*0x1000/);
    expect(inspect.exceptionName(13)).toBe("load page fault");
  });

  it("names addresses by the symbols it was given", async () => {
    const inspect = await loadInspect(readFileSync("build/inspect.wasm"));
    const count = inspect.setSymbols(Uint32Array.of(0x1000, 0x2000), Uint32Array.of(0, 0), ["start", "main"]);
    expect(count).toBe(2);
    expect(inspect.symbolize(0x2010, 0)).toBe("main+0x10");
    expect(inspect.symbolize(0x10, 0)).toBe("");
  });
});
