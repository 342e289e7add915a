// Rings full of noise: whatever a driver puts into its queues, devices touch guest RAM
// alone and never trap. Seeded, so that a failure repeats.
import { describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { Layout } from "../../../assembly/abi/layout.ts";
import { VirtioStatus } from "../../../assembly/abi/virtio.ts";
import { Driver, transports } from "./driver.ts";
import { Machine, RAM, RAM_BYTES } from "./machine.ts";

/** xorshift32: numbers below `n`. */
function random(seed: number): (n: number) => number {
  let x = seed;
  return (n) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
}

const kinds = [
  { device: "virtio-blk", kind: DeviceKind.VIRTIO_BLK, queues: 1 },
  { device: "virtio-console", kind: DeviceKind.VIRTIO_CONSOLE, queues: 18 },
  { device: "virtio-rng", kind: DeviceKind.VIRTIO_RNG, queues: 1 },
  { device: "virtio-pmem", kind: DeviceKind.VIRTIO_PMEM, queues: 1 },
  { device: "virtio-balloon", kind: DeviceKind.VIRTIO_BALLOON, queues: 5 },
  { device: "virtio-mem", kind: DeviceKind.VIRTIO_MEM, queues: 1 },
  { device: "virtio-rtc", kind: DeviceKind.VIRTIO_RTC, queues: 1 },
];
const cases = transports.flatMap(({ name, attach }) => kinds.map((k) => ({ ...k, name, attach })));

describe.each(cases)("$device over $name under noise", ({ kind, queues, attach }) => {
  it.each([1, 2, 3])("stays within RAM (seed %d)", (seed) => {
    const m = Machine.create();
    const t = attach(m, { kind, capacity: kind === DeviceKind.VIRTIO_MEM ? 4 << 20 : 1 << 20 });
    const pick = random(seed * 0x9e37_79b9);
    const outside = () => m.bytes.slice(Layout.STAGING, Layout.RAM);
    const before = outside();
    // Devices with memory have it from 8 MiB on.
    if (kind === DeviceKind.VIRTIO_PMEM) expect(m.call("virtioPmemSetPlace", t.index, 2048)).toBe(1);
    if (kind === DeviceKind.VIRTIO_MEM) {
      expect(m.call("virtioMemSetPlace", t.index, 2048)).toBe(1);
      m.call("virtioMemSetRequested", t.index, 4 << 20);
    }
    m.flushAnswer = 1;

    const address = () =>
      [RAM + pick(RAM_BYTES), RAM + pick(0x8000), RAM + RAM_BYTES - pick(64), pick(2 ** 32), 0][
        Math.min(pick(12), 7) % 5
      ];
    const length = () => [16, 1, 512, 513, pick(4096), 0, pick(2 ** 32)][Math.min(pick(40), 6)];

    let resets = 0;
    let served = 0;
    let d = new Driver(m, t);
    for (let round = 0; round < 1500; round++) {
      if (round % 50 === 0 || (t.status() & VirtioStatus.DEVICE_NEEDS_RESET) !== 0) {
        resets++;
        d = new Driver(m, t);
        d.start(Array(queues).fill(8), pick(2) === 0 ? [] : [29]);
      }
      const q = d.queues[pick(queues)];
      // A handful of descriptors that lead somewhere, some of them tables of such.
      const table = RAM + 0x8000;
      const header = RAM + 0x9000;
      for (let i = 0; i < 8; i++) {
        const flags = [0, 1, 2, 3, 2, 1, 3, 4, 6, pick(0x1_0000)][pick(10)];
        q.describe(i, flags === 4 ? table : address(), flags === 4 ? 16 * pick(6) : length(), flags, pick(9));
        q.describe(i, address(), length(), [0, 1, 2, 3, 2][pick(5)], pick(9), table);
      }
      if (kind === DeviceKind.VIRTIO_MEM && pick(2) === 0) {
        const request = new DataView(new ArrayBuffer(24));
        request.setUint16(0, pick(5), true);
        request.setBigUint64(8, BigInt(RAM + 4 * pick(5) * (1 << 20) + (pick(9) === 0 ? pick(2 ** 31) : 0)), true);
        request.setUint16(16, pick(9) === 0 ? pick(0x1_0000) : pick(4), true);
        m.fill(header, new Uint8Array(request.buffer));
        q.describe(0, header, 24, 1, 1);
        q.describe(1, pick(9) === 0 ? address() : header + 32, 10, 2, 0);
        q.offer(0);
      } else if (pick(2) === 0) {
        // A request as a block driver makes it, for the most part.
        m.fill(header, [[0, 1, 4, 8, 11, 13][pick(6)], 0, 0, 0, 0, 0, 0, 0, pick(256), pick(16)]);
        q.describe(0, header, 16, pick(9) === 0 ? pick(8) : 1, 1);
        q.describe(1, address(), length(), [1, 3][pick(2)], 2);
        q.describe(2, pick(9) === 0 ? address() : header + 16, 1, 2, 0);
        q.offer(0);
      } else {
        for (let n = pick(4); n >= 0; n--) q.offer(pick(60) === 0 ? pick(0x1_0000) : pick(8));
      }
      q.usedEvent = pick(0x1_0000);
      q.kick();
      served += q.takeAll().length % 0x1_0000;
      if (pick(4) === 0) t.takeInterrupt();
      if (pick(4) === 0) m.call("virtioPoll");
      for (const tag of m.flushes.splice(0, pick(3))) m.call("diskDone", 7, tag, -pick(2));
      if (kind === DeviceKind.VIRTIO_CONSOLE) m.call("virtioConsoleInput", t.index, pick(9), Layout.STAGING, pick(64));
    }
    expect(resets).toBeGreaterThan(30);
    expect(served).toBeGreaterThan(100);
    expect(Buffer.compare(before, outside())).toBe(0);
    expect(m.outside).toEqual([]);
    expect(m.call("virtioValidate")).toBe(1);
  });
});
