// The Intel controllers against a driver that means harm: rings and buffers outside memory,
// descriptors that say nothing sensible, registers written at random, state that was
// tampered with. What it may reach is guest RAM and its own frames, and it must end.
import { beforeEach, describe, expect, it } from "vitest";
import { Dev } from "../../assembly/abi/device.ts";
import { Machine as At, Layout } from "../../assembly/abi/layout.ts";
import { RAM, RAM_BYTES, random, same, type TestBoard } from "./board.ts";
import { BAR, Cmd, Driver, frame, MODELS, MSIX_BAR, PORT, places, Rctl, Reg, RING, SLOT } from "./e1000/driver.ts";

const END = RAM + RAM_BYTES;
const OUTSIDE = [0, 0x1000_0000, END, 2 ** 40, Number.MAX_SAFE_INTEGER];

/** Everything that no device may touch. */
function untouchable(b: TestBoard): Uint8Array[] {
  const regions: [number, number][] = [
    [0, Layout.MACHINE],
    [Layout.MACHINE, At.EXIT],
    [Layout.HARTS, Layout.DEVICES],
    [Layout.DEVICES, Dev.PLIC],
    [Dev.NVME, Dev.E1000],
    [Dev.APLIC, Dev.NET],
    [Layout.EXIT_COUNTERS_END, Layout.RAM],
  ];
  return regions.map(([from, to]) => b.bytes.slice(from, to));
}

describe.each(MODELS)("hostile driver of the %s", (model) => {
  let d: Driver;
  let before: Uint8Array[];
  beforeEach(() => {
    d = Driver.create(model);
    d.start();
    before = untouchable(d.board);
  });

  function expectWhole(): void {
    const after = untouchable(d.board);
    after.forEach((bytes, i) => void expect(same(bytes, before[i])).toBe(true));
    expect(d.board.valid()).toBe(true);
  }

  /** It still works after a reset. */
  function expectAlive(): void {
    d.board.onFrame = () => {};
    d.write(Reg.CTRL, 1 << 26);
    d.board.write(d.board.ecam(SLOT, 4), 7, 2);
    d.board.write(d.board.ecam(SLOT, 0x10), BAR);
    if (d.isE) d.write(Reg.RFCTL, 0);
    d.write(Reg.MDIC, (1 << 26) | (1 << 21) | 0x1140);
    d.start();
    d.board.frames.length = 0;
    d.legacy(d.store(frame()), 154, Cmd.EOP | Cmd.RS);
    d.ring();
    expect(d.board.frames.length).toBe(1);
    expect(d.board.deliver(PORT, frame({ to: [255, 255, 255, 255, 255, 255] }))).toBe("done");
    expect(d.take()?.bytes.length).toBe(154);
  }

  it.each(OUTSIDE)("has rings at %i", (at) => {
    for (const [low, high] of [
      [Reg.TDBAL, Reg.TDBAH],
      [Reg.RDBAL, Reg.RDBAH],
    ]) {
      d.write(low, at % 2 ** 32);
      d.write(high, Math.floor(at / 2 ** 32));
    }
    d.write(Reg.TDT, 5);
    expect(d.board.frames).toEqual([]);
    expect(d.board.deliver(PORT, frame())).toBe("none");
    d.board.call("e1000Poll");
    expectWhole();
    expectAlive();
  });

  it.each(OUTSIDE)("has buffers at %i", (at) => {
    for (const length of [1, 60, 1514, 65_535]) d.legacy(at, length, Cmd.EOP | Cmd.RS);
    d.legacy(END - 100, 200, Cmd.EOP | Cmd.RS);
    d.ring();
    expect(d.board.frames).toEqual([]);
    expect(d.txDone(4)).toBe(true);
    d.board.view.setBigUint64(d.board.at(d.rx), BigInt(at), true);
    expect(d.board.deliver(PORT, frame())).toBe("lost");
    d.board.view.setBigUint64(d.board.at(d.rx), BigInt(END - 10), true);
    expect(d.board.deliver(PORT, frame())).toBe("lost");
    expectWhole();
    expectAlive();
  });

  it("has rings that lie partly outside, indices beyond their end, and none at all", () => {
    d.write(Reg.TDBAL, END - 128);
    d.write(Reg.RDBAL, END - 128);
    for (const tail of [7, 8, RING, 0xffff, 0xffff_ffff]) d.write(Reg.TDT, tail);
    for (const head of [7, RING, 0xffff]) {
      d.write(Reg.RDH, head);
      d.board.deliver(PORT, frame());
      d.write(Reg.TDH, head);
      d.write(Reg.TDT, 1);
    }
    d.write(Reg.RDLEN, 0);
    d.write(Reg.TDLEN, 0);
    d.write(Reg.TDT, 0);
    expect(d.board.deliver(PORT, frame())).toBe("none");
    expectWhole();
    expectAlive();
  });

  it("never ends a frame", () => {
    const at = d.store(frame());
    // A ring of 4,096 descriptors, none of them the last of its frame.
    const ring = d.allocate(4096 * 16);
    for (let i = 0; i < 4096; i++) {
      d.board.view.setBigUint64(d.board.at(ring + 16 * i), BigInt(at), true);
      d.board.view.setBigUint64(d.board.at(ring + 16 * i + 8), BigInt(100 | (Cmd.RS << 24)), true);
    }
    d.write(Reg.TDBAL, ring);
    d.write(Reg.TDLEN, 4096 * 16);
    for (let i = 0; i < 20; i++) {
      d.write(Reg.TDT, (i * 1000 + 999) % 4096);
      d.board.call("e1000Poll");
    }
    expect(d.board.frames).toEqual([]);
    expectWhole();
    expectAlive();
  });

  it("gives more at once than one write serves: the rest is served later", () => {
    const at = d.allocate(65_536);
    const ring = d.allocate(4096 * 16);
    for (let i = 0; i < 4096; i++) {
      d.board.view.setBigUint64(d.board.at(ring + 16 * i), BigInt(at), true);
      d.board.view.setBigUint64(d.board.at(ring + 16 * i + 8), BigInt(16_000 | (Cmd.EOP << 24)), true);
    }
    d.write(Reg.TDBAL, ring);
    d.write(Reg.TDLEN, 4096 * 16);
    d.write(Reg.TDT, 4095);
    expect(d.board.frames.length).toBeLessThanOrEqual(1024);
    expect(d.board.call("e1000HasWork")).toBe(1);
    for (let i = 0; i < 20; i++) d.board.call("e1000Poll");
    expect(d.board.frames.length).toBe(4095);
    expect(d.board.call("e1000HasWork")).toBe(0);
    expectWhole();
  });

  it("lets rings and buffers overlap", () => {
    d.write(Reg.RDBAL, d.tx);
    for (let i = 0; i < RING; i++) d.legacy(d.tx, 200, Cmd.EOP | Cmd.RS);
    d.board.onFrame = () => void d.board.deliver(PORT, frame());
    for (const tail of [5, 15, 3, 14]) d.write(Reg.TDT, tail);
    expectWhole();
    expectAlive();
  });

  it.each([1, 2, 3, 4])("writes at random: descriptors (%i)", (seed) => {
    const next = random(seed);
    const wild = () => (next(3) ? RAM + 0x2_0000 + next(0x1_0000) : next(2) ? END - next(100) : next(2 ** 31 - 1));
    d.board.onFrame = (sent) => {
      if (next(3) === 0) d.board.deliver(PORT, sent.bytes.subarray(0, 1514), sent.header);
    };
    if (d.isE) d.write(Reg.RFCTL, 0x8000);
    for (let round = 0; round < 400; round++) {
      for (let i = next(RING); i > 0; i--) {
        const cmd = next(256);
        const address = wild();
        switch (next(4)) {
          case 0:
            d.legacy(address, next(2000), cmd, { cso: next(256), css: next(256), special: next(65_536) });
            break;
          case 1:
            d.data(address, next(8) ? next(3000) : next(2 ** 20), cmd, next(4), next(65_536));
            break;
          case 2:
            d.context({ ip: next(64), l4: next(128), sum: next(256), cmd, headers: next(256), mss: next(3000) });
            break;
          default:
            d.put(BigInt(next(2 ** 31 - 1)) * 4n, BigInt(next(2 ** 31 - 1)) * BigInt(next(2 ** 31 - 1)));
        }
      }
      if (next(2))
        d.board.poke(
          d.rx,
          Array.from({ length: 8 }, () => next(256)),
        );
      if (next(8) === 0) d.write(Reg.CTRL, next(2) * 2 ** 30 + 0x241);
      if (next(8) === 0) d.write(Reg.RCTL, Rctl.EN | (next(2 ** 30) & ~0x40));
      if (next(8) === 0 && d.isE) d.write(Reg.PSRCTL, next(2 ** 30));
      d.ring();
      d.write(Reg.RDT, next(RING + 1));
      d.board.call("e1000Poll");
      const at = places({});
      const size = 14 + next(3000);
      const header = Uint8Array.from([1, 0, 0, 0, 0, 0, next(at.sum), 0, next(256), next(8) ? 0 : 255, 0, 0]);
      d.board.deliver(PORT, frame({ to: [255, 255, 255, 255, 255, 255], data: size }), next(2) ? header : undefined);
      d.later(next(200));
    }
    expectWhole();
    expectAlive();
  });

  it.each([1, 2, 3, 4])("writes at random: registers (%i)", (seed) => {
    const next = random(seed);
    const registers = Object.values(Reg);
    d.board.onFrame = () => void d.board.deliver(PORT, frame());
    for (let i = 0; i < 20_000; i++) {
      const base = next(20) ? BAR : MSIX_BAR;
      const known = base === BAR && next(4) !== 0;
      const offset = known ? registers[next(registers.length)] + 4 * next(2) : next(base === BAR ? 0x2_0000 : 0x4000);
      const width = next(10) ? 4 : [1, 2, 8][next(3)];
      const pa = base + offset - (offset % width);
      if (next(3) === 0) d.board.read64(pa, width);
      else {
        const value = next(4) ? next(2 ** 31 - 1) * 2 + next(2) : [RAM, END, 0, 0xffff_ffff][next(4)];
        d.board.write(pa, value, width);
      }
      if (next(16) === 0) d.board.deliver(PORT, frame({ data: next(1400) }));
      if (next(64) === 0) d.later(next(500));
      if (next(64) === 0) d.board.call("e1000Poll");
      if (next(256) === 0) d.board.call("netLink", PORT, next(2));
    }
    expectWhole();
    d.board.call("netLink", PORT, 1);
    expectAlive();
  });

  it("is not restored from a state that was tampered with", () => {
    const { view } = d.board;
    const state = Dev.E1000 + Dev.E1000_SIZE;
    // attached, slot, model, port, instance.
    for (const [field, value] of [
      [0, 2],
      [4, 40],
      [8, 2],
      [12, 99],
      [16, 3],
    ]) {
      const was = view.getUint32(state + field, true);
      view.setUint32(state + field, value, true);
      expect(d.board.valid()).toBe(false);
      view.setUint32(state + field, was, true);
    }
    expect(d.board.valid()).toBe(true);
    // Room that was taken is no state: it would name places to write to.
    expect(d.board.call("netRoom", PORT, 100)).not.toBe(0);
    expect(d.board.valid()).toBe(false);
    d.board.call("netDeliver", PORT, 0);
    expect(d.board.valid()).toBe(true);
  });
});
