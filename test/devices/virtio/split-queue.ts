// Chains that only a split ring can hold, most of them hostile. virtio 1.2, 2.7.
import { beforeEach, describe, expect, it } from "vitest";
import { VirtqFlag } from "../../../assembly/abi/virtio.ts";
import { Bench, SIZE } from "./containment.ts";
import { transports } from "./driver.ts";
import { RAM, RAM_BYTES } from "./machine.ts";
import type { SplitQueue } from "./rings.ts";

const { DESC_NEXT, DESC_WRITE, DESC_INDIRECT } = {
  DESC_NEXT: VirtqFlag.DESC_NEXT,
  DESC_WRITE: VirtqFlag.DESC_WRITE,
  DESC_INDIRECT: VirtqFlag.DESC_INDIRECT,
};
const BUFFER = RAM + 0x10_0000;

describe.each(transports)("split virtqueue over $name", ({ attach }) => {
  let b: Bench<SplitQueue>;
  beforeEach(() => {
    b = new Bench(attach);
  });

  it("takes an indirect table behind direct descriptors", () => {
    const table = b.d.allocate(32);
    const [first, second] = [b.room(4), b.room(6)];
    b.q.describe(0, second.address, 6, DESC_WRITE, 0, table);
    b.q.describe(4, first.address, 4, DESC_WRITE | DESC_NEXT, 5);
    b.q.describe(5, table, 16, DESC_INDIRECT | DESC_WRITE, 0);
    b.q.offer(4);
    b.q.kick();
    expect(b.q.take()).toEqual({ head: 4, length: 10 });
  });

  it("says at the event index which kick it wants", () => {
    b.start([]);
    for (let i = 0; i < 2; i++) {
      b.q.add([b.room()]);
      b.q.kick();
      expect(b.q.availEvent).toBe(i + 1);
    }
    expect(b.q.usedFlags).toBe(0);
  });

  describe("contains", () => {
    it("a chain that loops to itself", () => {
      b.q.describe(0, BUFFER, 4, DESC_WRITE | DESC_NEXT, 0);
      b.q.offer(0);
      b.expectBroken();
    });

    it("a long loop of empty buffers", () => {
      for (let i = 0; i < SIZE; i++) b.q.describe(i, 0, 0, DESC_NEXT, (i + 1) % SIZE);
      b.q.offer(3);
      b.expectBroken();
    });

    it("a head beyond the table", () => {
      b.q.offer(SIZE);
      b.expectBroken();
    });

    it("a next beyond the table", () => {
      b.q.describe(0, BUFFER, 4, DESC_WRITE | DESC_NEXT, 0xffff);
      b.q.offer(0);
      b.expectBroken();
    });

    it("an available index that jumps beyond the queue", () => {
      for (let i = 0; i < SIZE; i++) b.q.add([b.room()]);
      b.q.setAvailIndex(SIZE + 1);
      b.expectBroken();
    });

    it("an available index that goes back", () => {
      for (let i = 0; i < SIZE; i++) b.q.add([b.room()]);
      b.q.kick();
      expect(b.q.takeAll()).toHaveLength(SIZE);
      b.t.takeInterrupt();
      b.q.setAvailIndex(SIZE - 1);
      b.expectBroken();
    });

    it("an indirect table within an indirect table", () => {
      const table = b.d.allocate(16);
      b.q.describe(0, table, 16, DESC_INDIRECT, 0, table);
      b.q.describe(0, table, 16, DESC_INDIRECT, 0);
      b.q.offer(0);
      b.expectBroken();
    });

    it("a loop within an indirect table", () => {
      const table = b.d.allocate(32);
      b.q.describe(0, BUFFER, 0, DESC_WRITE | DESC_NEXT, 1, table);
      b.q.describe(1, BUFFER, 0, DESC_WRITE | DESC_NEXT, 0, table);
      b.q.describe(0, table, 32, DESC_INDIRECT, 0);
      b.q.offer(0);
      b.expectBroken();
    });

    it("a descriptor both indirect and not the last", () => {
      b.q.describe(0, b.d.allocate(16), 16, DESC_INDIRECT | DESC_NEXT, 1);
      b.q.offer(0);
      b.expectBroken();
    });

    it.each([0, 8, 17, 0xffff_ffff])("an indirect table of %d bytes", (length) => {
      b.q.describe(0, b.d.allocate(16), length, DESC_INDIRECT, 0);
      b.q.offer(0);
      b.expectBroken();
    });

    it("an indirect table outside RAM", () => {
      b.q.describe(0, RAM + RAM_BYTES - 8, 16, DESC_INDIRECT, 0);
      b.q.offer(0);
      b.expectBroken();
    });
  });
});
