// A guest that calls SBI with anything at all: every call ends, no state becomes invalid,
// and nothing is written but RAM, harts, interrupt lines, timers, SBI's state and exit counters.
import { expect, it } from "vitest";
import { Dev } from "../../assembly/abi/device.ts";
import { Machine as At, Layout } from "../../assembly/abi/layout.ts";
import { SbiExtension as E, SbiAt } from "../../assembly/abi/sbi.ts";
import { HARTS, RAM, RAM_BYTES, SbiMachine } from "./machine.ts";

const CALLS = 20_000;
/** Not SRST, which ends the machine; HSM and SUSP make harts stop, and are called too. */
const EXTENSIONS = [E.BASE, E.TIME, E.IPI, E.RFENCE, E.HSM, E.PMU, E.DBCN, E.SUSP, E.STA, 0, 1, 2, 3, 4, 5, 6, 7, 9];
const NEAR = [
  0,
  1,
  2,
  3,
  8,
  19,
  63,
  64,
  4095,
  4096,
  RAM,
  RAM + RAM_BYTES,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_ffff,
  2 ** 32,
  2 ** 63,
  -1,
  -4096,
];

it("survives any call", async () => {
  const m = (await SbiMachine.compile())();
  let state = 12345n;
  const random = (n: number) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    return Number((state >> 33n) % BigInt(n));
  };
  const argument = () => {
    switch (random(4)) {
      case 0:
        return BigInt(random(20));
      case 1:
        return BigInt(RAM + random(RAM_BYTES / 64) * 64);
      default:
        return BigInt(NEAR[random(NEAR.length)]) + BigInt(random(5) - 2);
    }
  };

  const bytes = new Uint8Array(m.memory.buffer);
  const untouched: [number, number][] = [
    [At.SCRATCH, 0x4000],
    [Layout.DEVICES, Dev.ACLINT],
    [Dev.FINISHER, SbiAt.STATE],
    [Layout.CODE_MAP, Layout.CODE_POOL],
  ];
  for (const [from, to] of untouched) bytes.fill(0xa5, from, to);
  // A code map of 0xa5a5 everywhere would be slots to drop; none is what a fresh machine has.
  bytes.fill(0, Layout.CODE_MAP, Layout.CODE_MAP_END);

  let answered = 0;
  for (let i = 0; i < CALLS; i++) {
    m.exports.switchHart(random(HARTS));
    const { returned, error } = m.call(
      EXTENSIONS[random(EXTENSIONS.length)],
      random(10),
      ...Array.from({ length: 6 }, argument),
    );
    if (returned) {
      answered++;
      expect(error).toBeGreaterThanOrEqual(-9);
    }
    if (random(50) === 0) m.exports.staUpdate(random(HARTS), 3n);
    if (random(2000) === 0) {
      expect(m.exports.validateSbiState()).toBe(1);
      expect(m.exports.validateConsole()).toBe(1);
      m.powerOn();
    }
    m.output = [];
  }
  expect(answered).toBeGreaterThan(CALLS / 2);
  expect(m.exports.validateSbiState()).toBe(1);
  for (const [from, to] of untouched) {
    const fill = from === Layout.CODE_MAP ? Layout.CODE_MAP_END : from;
    expect(
      bytes.subarray(fill, to).every((byte) => byte === 0xa5),
      `0x${from.toString(16)}`,
    ).toBe(true);
  }
}, 180_000);
