// What every virtqueue does, whatever the form of its ring and the transport in front:
// against a driver that keeps the rules, and one that does not. virtio 1.2, 2.6 to 2.9.
import { beforeEach, describe, expect, it } from "vitest";
import { VirtioFeature, VirtioInterrupt, VirtioStatus } from "../../../assembly/abi/virtio.ts";
import { Bench, SIZE } from "./containment.ts";
import { type DriverQueue, forms, READY } from "./driver.ts";
import { RAM, RAM_BYTES } from "./machine.ts";

describe.each(forms)("virtqueue over $name", ({ attach }) => {
  let b: Bench<DriverQueue>;
  beforeEach(() => {
    b = new Bench(attach);
  });

  it("fills every buffer of a chain and no byte beyond", () => {
    const at = b.d.allocate(64);
    const head = b.q.add([
      { address: at, length: 5, write: true },
      { address: at + 8, length: 3, write: true },
      { address: at + 11, length: 4, write: true },
    ]);
    b.q.kick();
    expect(b.q.take()).toEqual({ head, length: 12 });
    expect([...b.m.peek(at, 16)]).toEqual([...Array(5).fill(0xa5), 0, 0, 0, ...Array(7).fill(0xa5), 0]);
  });

  it("takes an indirect table", () => {
    const head = b.q.add([b.room(4), b.room(4)], true);
    b.q.kick();
    expect(b.q.take()).toEqual({ head, length: 8 });
    b.q.add([b.room(2)]);
    b.q.add([b.room(3), b.room(3), b.room(3)], true);
    b.q.kick();
    expect(b.q.takeAll().map((u) => u.length)).toEqual([2, 9]);
  });

  it("goes round the ring, and round every index", () => {
    const buffer = b.room(1);
    for (let i = 0; i < 66_000; i++) {
      const head = b.q.add([buffer]);
      b.q.kick();
      const used = b.q.take();
      if (used?.head !== head || used.length !== 1) expect.unreachable(`used ${JSON.stringify(used)} at ${i}`);
    }
    expect(b.t.status()).toBe(READY);
  });

  it("goes round with chains of every length", () => {
    for (let i = 0; i < 200; i++) {
      const buffers = Array.from({ length: 1 + (i % SIZE) }, () => b.room(1 + (i % 3)));
      const head = b.q.add(buffers, i % 5 === 0);
      b.q.kick();
      expect(b.q.takeAll()).toEqual([{ head, length: buffers.length * (1 + (i % 3)) }]);
    }
  });

  it("completes a full ring in one kick with one interrupt", () => {
    for (let i = 0; i < SIZE; i++) b.q.add([b.room(2)]);
    b.q.kick();
    expect(b.q.takeAll().map((u) => u.head)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(b.t.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
    expect(b.t.takeInterrupt()).toBe(0);
  });

  it("stays quiet when the driver asks for no interrupt", () => {
    for (const without of [[VirtioFeature.EVENT_IDX], []]) {
      b.start(without);
      b.q.silence();
      b.q.add([b.room()]);
      b.q.kick();
      expect(b.q.take()).toBeDefined();
      expect(b.t.takeInterrupt()).toBe(0);
    }
  });

  it("interrupts at the place that the driver waits for, in every round of the ring", () => {
    b.start([]);
    for (let round = 0; round < 5 * SIZE; round++) {
      b.q.interruptAfter(3);
      for (let i = 0; i < 2; i++) {
        b.q.add([b.room(1)]);
        b.q.kick();
        expect(b.t.takeInterrupt()).toBe(0);
        expect(b.q.wantsKick).toBe(true);
      }
      // Past it at once: still one.
      b.q.add([b.room(1)]);
      b.q.add([b.room(1)]);
      b.q.kick();
      expect(b.t.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
      b.q.add([b.room(1)]);
      b.q.kick();
      expect(b.t.takeInterrupt()).toBe(0);
      expect(b.q.takeAll()).toHaveLength(5);
    }
  });

  it("leaves what exceeds a kick's share to the poll, and loses nothing", () => {
    // Each chain counts its bytes, though the device fills in less: three of 12 MiB pass the share.
    const large = { address: RAM + 0x10_0000, length: 12 << 20, write: true };
    for (let i = 0; i < SIZE; i++) b.q.add([large]);
    b.q.kick();
    expect(b.q.takeAll()).toHaveLength(3);
    expect(b.m.call("virtioPoll")).toBe(1);
    expect(b.q.takeAll()).toHaveLength(3);
    expect(b.m.call("virtioPoll")).toBe(0);
    expect(b.q.takeAll()).toHaveLength(2);
    expect(b.m.call("virtioPoll")).toBe(0);
  });

  it("takes empty buffers between others", () => {
    b.q.add([{ address: 0, length: 0 }, b.room(4), { address: 0, length: 0, write: true }, b.room(4)]);
    b.q.kick();
    expect(b.q.take()).toEqual({ head: 0, length: 8 });
  });

  it("reaches the last byte of RAM", () => {
    b.q.add([{ address: RAM + RAM_BYTES - 4, length: 4, write: true }]);
    b.q.kick();
    expect(b.q.take()).toEqual({ head: 0, length: 4 });
    expect([...b.m.peek(RAM + RAM_BYTES - 4, 4)]).toEqual([0xa5, 0xa5, 0xa5, 0xa5]);
  });

  describe("contains", () => {
    it("an indirect descriptor when that was not agreed", () => {
      b.start([VirtioFeature.INDIRECT_DESC]);
      b.q.add([b.room()], true);
      b.expectBroken();
    });

    it("a readable buffer behind a writable one", () => {
      b.q.add([b.room(), { address: b.d.allocate(4), length: 4 }]);
      b.expectBroken();
    });

    it("a chain that the device cannot answer in", () => {
      b.q.add([{ address: b.d.allocate(16), length: 16 }]);
      b.expectBroken();
    });

    it("a chain with nothing but empty buffers", () => {
      b.q.add([
        { address: 0, length: 0, write: true },
        { address: 0, length: 0, write: true },
      ]);
      b.expectBroken();
    });

    it.each([
      ["below RAM", 0x1000_0000, 16],
      ["across the end of RAM", RAM + RAM_BYTES - 8, 16],
      ["just behind RAM", RAM + RAM_BYTES, 1],
      ["longer than RAM", RAM, 0xffff_ffff],
      ["that wraps round the address space", 2 ** 64 - 4096, 8192],
      ["whose address is RAM's plus 4 GiB", RAM + 2 ** 32, 16],
    ])("a buffer %s", (_where, address, length) => {
      for (const indirect of [false, true]) {
        b = new Bench(attach);
        b.q.add([{ address, length, write: true }], indirect);
        b.expectBroken();
      }
    });

    it("buffers that together exceed RAM", () => {
      const large = { address: RAM, length: RAM_BYTES, write: true };
      b.q.add([large, large]);
      b.expectBroken();
    });

    it("one bad chain behind good ones, which stay done", () => {
      b.q.add([b.room()]);
      b.q.add([{ address: 0, length: 1, write: true }]);
      b.q.add([b.room()]);
      b.q.kick();
      expect(b.q.takeAll()).toEqual([{ head: 0, length: 16 }]);
      expect(b.t.status()).toBe(READY | VirtioStatus.DEVICE_NEEDS_RESET);
      expect(b.t.takeInterrupt()).toBe(VirtioInterrupt.CONFIGURATION | VirtioInterrupt.USED_BUFFER);
    });
  });
});
