// What is particular to a packed ring: wrap counters, sizes, identifiers, event
// suppression, and chains that only it can hold. virtio 1.2, 2.8.
import { beforeEach, describe, expect, it } from "vitest";
import { VirtioInterrupt, VirtqFlag } from "../../../assembly/abi/virtio.ts";
import { Bench, SIZE } from "./containment.ts";
import { forms } from "./driver.ts";
import { RAM, RAM_BYTES } from "./machine.ts";
import type { PackedQueue } from "./rings.ts";

const BUFFER = RAM + 0x10_0000;
const NEXT = VirtqFlag.DESC_NEXT;
const WRITE = VirtqFlag.DESC_WRITE;
const INDIRECT = VirtqFlag.DESC_INDIRECT;
const packedForms = forms.filter(({ isPacked }) => isPacked);

describe.each(packedForms)("packed virtqueue over $name", ({ attach }) => {
  let b: Bench<PackedQueue>;
  beforeEach(() => {
    b = new Bench(attach);
  });

  it.each([1, 3, 5, 7])("may have %d entries", (size) => {
    b = new Bench(attach, size);
    for (let i = 0; i < 5 * size; i++) {
      const head = b.q.add([b.room(2)]);
      b.q.kick();
      expect(b.q.takeAll()).toEqual([{ head, length: 2 }]);
    }
  });

  it("writes one used entry a chain, over its first, with the identifier of its last", () => {
    b.q.offer(BUFFER, 4, 1, WRITE | NEXT);
    b.q.offer(BUFFER + 4, 4, 2, WRITE | NEXT);
    b.q.offer(BUFFER + 8, 4, 0xabcd, WRITE);
    const before = b.m.peek(b.q.desc, 16 * SIZE);
    b.q.kick();
    const after = b.m.peek(b.q.desc, 16 * SIZE);
    expect(after.slice(16)).toEqual(before.slice(16));
    expect(b.q.take()).toEqual({ head: 0xabcd, length: 12 });
  });

  it("marks used what was used in each round, and leaves the flag WRITE to what was written", () => {
    const flags = () => b.m.view.getUint16(b.m.at(b.q.desc) + 14, true);
    b.q.add([b.room()]);
    b.q.kick();
    expect(flags()).toBe(VirtqFlag.PACKED_AVAIL | VirtqFlag.PACKED_USED | WRITE);
    for (let i = 0; i < SIZE; i++) b.q.add([b.room()]);
    b.q.kick();
    expect(flags()).toBe(WRITE);
  });

  it("takes nothing that is not available in this round", () => {
    // Left from the round before, used already, zeroed: the bits that differ are not the right ones.
    for (const flags of [0, VirtqFlag.PACKED_USED, VirtqFlag.PACKED_USED | VirtqFlag.PACKED_AVAIL]) {
      b.q.describe(0, BUFFER, 16, 0, flags | WRITE);
      b.q.kick();
      expect(b.m.entropyBytes).toBe(0);
    }
    b.q.add([b.room()]);
    b.q.kick();
    expect(b.q.takeAll()).toHaveLength(1);
  });

  it("ignores all flags but WRITE in an indirect table", () => {
    const table = b.d.allocate(48);
    for (let i = 0; i < 3; i++) b.q.describe(i, BUFFER + 4 * i, 4, 0xffff, WRITE | NEXT | INDIRECT, table);
    b.q.offer(table, 48, 5, INDIRECT | WRITE);
    b.q.kick();
    expect(b.q.take()).toEqual({ head: 5, length: 12 });
  });

  it.each([
    ["enable", VirtqFlag.EVENT_ENABLE, VirtioInterrupt.USED_BUFFER],
    ["disable", VirtqFlag.EVENT_DISABLE, 0],
    // Without the event index one place cannot be asked for: better once too often than never.
    ["descriptor", VirtqFlag.EVENT_DESC, VirtioInterrupt.USED_BUFFER],
    ["reserved", 3, VirtioInterrupt.USED_BUFFER],
  ])("reads the driver's event flags: %s", (_name, flags, interrupt) => {
    b.q.setEvent(0xffff, flags);
    b.q.add([b.room()]);
    b.q.kick();
    expect(b.t.takeInterrupt()).toBe(interrupt);
  });

  it("wants every kick, without a store at each", () => {
    b.start([]);
    b.q.add([b.room()]);
    b.q.kick();
    expect(b.q.deviceEvent).toEqual({ place: 0, flags: VirtqFlag.EVENT_ENABLE });
    b.m.view.setUint32(b.m.at(b.q.used), 0x1234_5678, true);
    b.q.add([b.room()]);
    b.q.kick();
    expect(b.m.view.getUint32(b.m.at(b.q.used), true)).toBe(0x1234_5678);
  });

  describe("contains", () => {
    it("a chain that goes round the ring", () => {
      for (let i = 0; i < SIZE; i++) b.q.offer(BUFFER, 4, 0, WRITE | NEXT);
      b.expectBroken();
    });

    it("a round of empty buffers", () => {
      for (let i = 0; i < SIZE; i++) b.q.offer(0, 0, 0, NEXT);
      b.expectBroken();
    });

    it("an indirect table with a next, or behind direct descriptors", () => {
      const table = b.d.allocate(16);
      b.q.describe(0, BUFFER, 4, 0, WRITE, table);
      b.q.offer(table, 16, 0, INDIRECT | NEXT);
      b.q.offer(BUFFER, 4, 0, WRITE);
      b.expectBroken();
      b = new Bench(attach);
      b.q.offer(BUFFER, 4, 0, WRITE | NEXT);
      b.q.offer(table, 16, 0, INDIRECT);
      b.expectBroken();
    });

    it.each([0, 8, 17, 16 * 257, 0xffff_fff0])("an indirect table of %d bytes", (length) => {
      b.q.offer(b.d.allocate(16), length, 0, INDIRECT);
      b.expectBroken();
    });

    it("an indirect table outside RAM", () => {
      b.q.offer(RAM + RAM_BYTES - 8, 16, 0, INDIRECT);
      b.expectBroken();
    });

    it("entries made available again while the device has them", () => {
      // A driver that overtakes its own ring gets what it asks for, within RAM.
      for (let i = 0; i < 3 * SIZE; i++) b.q.offer(BUFFER, 4, i, WRITE);
      b.q.kick();
      expect(b.m.call("virtioValidate")).toBe(1);
      b.start();
      b.q.add([b.room()]);
      b.q.kick();
      expect(b.q.takeAll()).toHaveLength(1);
    });
  });
});
