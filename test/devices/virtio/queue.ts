// The split virtqueue against a driver that keeps the rules and one that does not: what a
// hostile ring can do is stop its own device. virtio 1.2, 2.7. The entropy device is
// behind the queue, being the simplest.
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { VirtioFeature, VirtioInterrupt, VirtioStatus, VirtqFlag } from "../../../assembly/abi/virtio.ts";
import { Driver, type DriverQueue, READY, type Transport, transports } from "./driver.ts";
import { Machine, RAM, RAM_BYTES } from "./machine.ts";

const DESC_NEXT = VirtqFlag.DESC_NEXT;
const DESC_WRITE = VirtqFlag.DESC_WRITE;
const DESC_INDIRECT = VirtqFlag.DESC_INDIRECT;
const SIZE = 8;

describe.each(transports)("virtqueue over $name", ({ attach }) => {
  let m: Machine;
  let t: Transport;
  let d: Driver;
  let q: DriverQueue;

  const start = (without: number[] = [VirtioFeature.EVENT_IDX]) => {
    [q] = d.start([SIZE], without);
  };

  beforeEach(() => {
    m = Machine.create();
    t = attach(m, { kind: DeviceKind.VIRTIO_RNG });
    d = new Driver(m, t);
    start();
  });

  const room = (length = 16) => ({ address: d.allocate(length), length, write: true });

  it("fills every buffer of a chain and no byte beyond", () => {
    const at = d.allocate(64);
    q.add([
      { address: at, length: 5, write: true },
      { address: at + 8, length: 3, write: true },
      { address: at + 11, length: 4, write: true },
    ]);
    q.kick();
    expect(q.take()).toEqual({ head: 0, length: 12 });
    expect([...m.peek(at, 16)]).toEqual([...Array(5).fill(0xa5), 0, 0, 0, ...Array(7).fill(0xa5), 0]);
  });

  it("takes an indirect table, also behind direct descriptors", () => {
    q.add([room(4), room(4)], true);
    q.kick();
    expect(q.take()).toEqual({ head: 0, length: 8 });
    const table = d.allocate(32);
    const [a, b] = [room(4), room(6)];
    q.describe(0, b.address, 6, DESC_WRITE, 0, table);
    q.describe(4, a.address, 4, DESC_WRITE | DESC_NEXT, 5);
    q.describe(5, table, 16, DESC_INDIRECT | DESC_WRITE, 0);
    q.offer(4);
    q.kick();
    expect(q.take()).toEqual({ head: 4, length: 10 });
  });

  it("goes round the ring and round the 16-bit index", () => {
    const buffer = room(1);
    for (let i = 0; i < 66_000; i++) {
      q.add([buffer]);
      q.kick();
      const used = q.take();
      if (used?.head !== i % SIZE || used.length !== 1) expect.unreachable(`used ${JSON.stringify(used)} at ${i}`);
    }
    expect(t.status()).toBe(READY);
  });

  it("completes a full ring in one kick with one interrupt", () => {
    for (let i = 0; i < SIZE; i++) q.add([room(2)]);
    q.kick();
    expect(q.takeAll().map((u) => u.head)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(t.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
  });

  it("stays quiet when the driver asks for no interrupt", () => {
    q.setAvailFlags(VirtqFlag.AVAIL_NO_INTERRUPT);
    q.add([room()]);
    q.kick();
    expect(q.take()).toBeDefined();
    expect(t.takeInterrupt()).toBe(0);
    q.setAvailFlags(0);
    q.add([room()]);
    q.kick();
    expect(t.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
  });

  it("interrupts at the event index, and says which kick it wants", () => {
    t.setStatus(0);
    start([]);
    q.usedEvent = 2; // once the third is used
    for (let i = 0; i < 2; i++) {
      q.add([room()]);
      q.kick();
      expect(t.takeInterrupt()).toBe(0);
      expect(q.availEvent).toBe(i + 1);
    }
    q.add([room()]);
    q.add([room()]);
    q.kick();
    expect(t.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
    q.add([room()]);
    q.kick();
    expect(t.takeInterrupt()).toBe(0);
    expect(q.usedFlags).toBe(0);
  });

  it("leaves what exceeds a kick's share to the poll, and loses nothing", () => {
    // Each chain counts its bytes, though the device fills in less: three of 12 MiB pass the share.
    const large = { address: RAM + 0x10_0000, length: 12 << 20, write: true };
    for (let i = 0; i < SIZE; i++) q.add([large]);
    q.kick();
    expect(q.takeAll()).toHaveLength(3);
    expect(m.call("virtioPoll")).toBe(1);
    expect(q.takeAll()).toHaveLength(3);
    expect(m.call("virtioPoll")).toBe(0);
    expect(q.takeAll()).toHaveLength(2);
    expect(m.call("virtioPoll")).toBe(0);
  });

  describe("contains", () => {
    /** The device stopped, told the driver, wrote nothing anywhere, and works after a reset. */
    const broken = () => {
      const before = m.entropyBytes;
      q.kick();
      expect(t.status()).toBe(READY | VirtioStatus.DEVICE_NEEDS_RESET);
      expect(q.take()).toBeUndefined();
      expect(t.takeInterrupt()).toBe(VirtioInterrupt.CONFIGURATION);
      expect(m.entropyBytes).toBe(before);
      expect(m.call("virtioMisuses", t.index)).toBe(1);
      q.kick();
      expect(m.call("virtioMisuses", t.index)).toBe(1);
      t.setStatus(0);
      start();
      q.add([room()]);
      q.kick();
      expect(q.take()).toEqual({ head: 0, length: 16 });
    };

    it("a chain that loops to itself", () => {
      q.describe(0, RAM + 0x10_0000, 4, DESC_WRITE | DESC_NEXT, 0);
      q.offer(0);
      broken();
    });

    it("a long loop of empty buffers", () => {
      for (let i = 0; i < SIZE; i++) q.describe(i, 0, 0, DESC_NEXT, (i + 1) % SIZE);
      q.offer(3);
      broken();
    });

    it("a head beyond the table", () => {
      q.offer(SIZE);
      broken();
    });

    it("a next beyond the table", () => {
      q.describe(0, RAM + 0x10_0000, 4, DESC_WRITE | DESC_NEXT, 0xffff);
      q.offer(0);
      broken();
    });

    it("an available index that jumps beyond the queue", () => {
      for (let i = 0; i < SIZE; i++) q.add([room()]);
      q.setAvailIndex(SIZE + 1);
      broken();
    });

    it("an available index that goes back", () => {
      for (let i = 0; i < SIZE; i++) q.add([room()]);
      q.kick();
      expect(q.takeAll()).toHaveLength(SIZE);
      t.takeInterrupt();
      q.setAvailIndex(SIZE - 1);
      broken();
    });

    it("an indirect table within an indirect table", () => {
      const table = d.allocate(16);
      q.describe(0, table, 16, DESC_INDIRECT, 0, table);
      q.describe(0, table, 16, DESC_INDIRECT, 0);
      q.offer(0);
      broken();
    });

    it("a loop within an indirect table", () => {
      const table = d.allocate(32);
      q.describe(0, RAM + 0x10_0000, 0, DESC_WRITE | DESC_NEXT, 1, table);
      q.describe(1, RAM + 0x10_0000, 0, DESC_WRITE | DESC_NEXT, 0, table);
      q.describe(0, table, 32, DESC_INDIRECT, 0);
      q.offer(0);
      broken();
    });

    it("a descriptor both indirect and not the last", () => {
      q.describe(0, d.allocate(16), 16, DESC_INDIRECT | DESC_NEXT, 1);
      q.offer(0);
      broken();
    });

    it.each([0, 8, 17, 0xffff_ffff])("an indirect table of %d bytes", (length) => {
      q.describe(0, d.allocate(16), length, DESC_INDIRECT, 0);
      q.offer(0);
      broken();
    });

    it("an indirect table outside RAM", () => {
      q.describe(0, RAM + RAM_BYTES - 8, 16, DESC_INDIRECT, 0);
      q.offer(0);
      broken();
    });

    it("an indirect descriptor when that was not agreed", () => {
      t.setStatus(0);
      start([VirtioFeature.INDIRECT_DESC]);
      q.add([room()], true);
      broken();
    });

    it("a readable buffer behind a writable one", () => {
      q.add([room(), { address: d.allocate(4), length: 4 }]);
      broken();
    });

    it("a chain that the device cannot answer in", () => {
      q.add([{ address: d.allocate(16), length: 16 }]);
      broken();
    });

    it("a chain with nothing but empty buffers", () => {
      q.add([
        { address: 0, length: 0, write: true },
        { address: 0, length: 0, write: true },
      ]);
      broken();
    });

    it.each([
      ["below RAM", 0x1000_0000, 16],
      ["across the end of RAM", RAM + RAM_BYTES - 8, 16],
      ["just behind RAM", RAM + RAM_BYTES, 1],
      ["longer than RAM", RAM, 0xffff_ffff],
      ["that wraps round the address space", 2 ** 64 - 4096, 8192],
      ["whose address is RAM's plus 4 GiB", RAM + 2 ** 32, 16],
    ])("a buffer %s", (_where, address, length) => {
      q.add([{ address, length, write: true }]);
      broken();
    });

    it("buffers that together exceed RAM", () => {
      const large = { address: RAM, length: RAM_BYTES, write: true };
      q.add([large, large]);
      broken();
    });

    it("one bad chain behind good ones, which stay done", () => {
      q.add([room()]);
      q.add([{ address: 0, length: 1, write: true }]);
      q.add([room()]);
      q.kick();
      expect(q.takeAll()).toEqual([{ head: 0, length: 16 }]);
      expect(t.status()).toBe(READY | VirtioStatus.DEVICE_NEEDS_RESET);
      expect(t.takeInterrupt()).toBe(VirtioInterrupt.CONFIGURATION | VirtioInterrupt.USED_BUFFER);
    });
  });

  it("takes empty buffers between others", () => {
    q.add([{ address: 0, length: 0 }, room(4), { address: 0, length: 0, write: true }, room(4)]);
    q.kick();
    expect(q.take()).toEqual({ head: 0, length: 8 });
  });

  it("reaches the last byte of RAM", () => {
    q.add([{ address: RAM + RAM_BYTES - 4, length: 4, write: true }]);
    q.kick();
    expect(q.take()).toEqual({ head: 0, length: 4 });
    expect([...m.peek(RAM + RAM_BYTES - 4, 4)]).toEqual([0xa5, 0xa5, 0xa5, 0xa5]);
  });
});
