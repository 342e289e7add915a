// Translated code on the host's side: however many modules come and go, few stay.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, expect, it } from "vitest";
import { Machine } from "../../assembly/abi/layout.ts";
import { type GoOn, translatedCode } from "../../src/engine/translated.ts";

const RealInstance = WebAssembly.Instance;
afterEach(() => {
  WebAssembly.Instance = RealInstance;
});

const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** What translated code imports of the engine, which gives the address that it gets. */
function goOnModule(): Uint8Array<ArrayBuffer> {
  return new Uint8Array([
    ...HEADER,
    ...section(1, 1, 0x60, 4, 0x7e, 0x7f, 0x7f, 0x7e, 1, 0x7e),
    ...section(3, 1, 0),
    ...section(7, 1, 1, 0x66, 0, 0),
    ...section(10, 1, 4, 0, 0x20, 0, 0x0b),
  ]);
}

/** A module with two functions: each gives the address it is entered at and all steps but one more than `taken`, the second one by calling `other`. */
function moduleWith(taken: number, other: number): Uint8Array {
  const takes = [0, 0x20, 2, 0x20, 0, 0x41, taken, 0x6b, 0x0b];
  const calls = [0, 0x20, 0, 0x20, 1, 0x20, 2, 0x41, other, 0x41, 1, 0x11, 2, 0, 0x0b];
  return new Uint8Array([
    ...HEADER,
    ...section(
      1,
      ...[3, 0x60, 3, 0x7f, 0x7f, 0x7e, 2, 0x7e, 0x7f],
      ...[0x60, 4, 0x7e, 0x7f, 0x7f, 0x7e, 1, 0x7e, 0x60, 4, 0x7f, 0x7f, 0x7e, 0x7f, 2, 0x7e, 0x7f],
    ),
    ...section(2, 2, 1, 0x65, 1, 0x6d, 2, 0, 0, 1, 0x65, 1, 0x74, 1, 0x70, 0, 2),
    ...section(3, 2, 0, 0),
    ...section(7, 2, 1, 0x30, 0, 0, 1, 0x31, 0, 1),
    ...section(10, 2, takes.length, ...takes, calls.length, ...calls),
  ]);
}

it("enters functions, by way of others too, and lets go of those that were forgotten", async () => {
  const alive: WeakRef<WebAssembly.Instance>[] = [];
  WebAssembly.Instance = class extends RealInstance {
    constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
      super(module, imports);
      alive.push(new WeakRef(this));
    }
  };
  const memory = new WebAssembly.Memory({ initial: 1 });
  const bytes = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  const goOn = new RealInstance(new WebAssembly.Module(goOnModule())).exports.f as GoOn;
  const code = translatedCode(memory, () => goOn);
  const install = (regions: [number, number], taken: number) => {
    const module = moduleWith(taken, 5);
    bytes.set(module, 0x4000);
    for (const n of [0, 1]) view.setUint16(0x3000 + 2 * n, regions[n] as number, true);
    expect(code.install(0x4000, module.length, 0x3000, 2)).toBe(0);
  };
  const enter = (region: number) => {
    expect(code.enter(region, 1000, 0, 0x1234n)).toBe(0x1234n);
    return view.getUint32(Machine.STEPS, true);
  };

  install([5, 4095], 7);
  for (let n = 0; n < 2000; n++) {
    install([2, 3], n & 63);
    if (n % 100 === 0) expect([5, 4095, 2, 3].map(enter)).toEqual([993, 993, 1000 - (n & 63), 993]);
    code.forget(2, 2);
  }
  expect(enter(5)).toBe(993);

  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // Weak references hold until the task that made them is over.
  await new Promise((resolve) => setTimeout(resolve, 0));
  collect();
  expect(alive.filter((it) => it.deref() !== undefined).length).toBeLessThan(10);
});
