// Rings full of noise: whatever a driver puts into its queues and registers, devices touch
// guest RAM alone and never trap. Seeded, so that a failure repeats.
import { describe, expect, it } from "vitest";
import { Dev, DeviceKind } from "../../../assembly/abi/device.ts";
import { Layout } from "../../../assembly/abi/layout.ts";
import { Map as Board } from "../../../assembly/abi/memory-map.ts";
import { VirtioAttach, VirtioFeature, VirtqFlag } from "../../../assembly/abi/virtio.ts";
import { Driver, type DriverQueue, forms, PciTransport, READY, type Transport } from "./driver.ts";
import { Machine, RAM, RAM_BYTES } from "./machine.ts";
import { PackedQueue, type SplitQueue } from "./rings.ts";

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

type Pick = ReturnType<typeof random>;

const kinds = [
  { device: "virtio-blk", kind: DeviceKind.VIRTIO_BLK, queues: 3 },
  { device: "virtio-console", kind: DeviceKind.VIRTIO_CONSOLE, queues: 18 },
  { device: "virtio-net", kind: DeviceKind.VIRTIO_NET, queues: 3 },
  { device: "virtio-rng", kind: DeviceKind.VIRTIO_RNG, queues: 1 },
  { device: "virtio-pmem", kind: DeviceKind.VIRTIO_PMEM, queues: 1 },
  { device: "virtio-balloon", kind: DeviceKind.VIRTIO_BALLOON, queues: 5 },
  { device: "virtio-mem", kind: DeviceKind.VIRTIO_MEM, queues: 1 },
  { device: "virtio-rtc", kind: DeviceKind.VIRTIO_RTC, queues: 1 },
  { device: "virtio-9p", kind: DeviceKind.VIRTIO_9P, queues: 1 },
  { device: "virtio-vsock", kind: DeviceKind.VIRTIO_VSOCK, queues: 3 },
  { device: "virtio-custom", kind: DeviceKind.VIRTIO_CUSTOM, queues: 2 },
];
const cases = forms.flatMap((form) => kinds.map((k) => ({ ...k, ...form })));

const TABLE = RAM + 0x8000;
const HEADER = RAM + 0x9000;
const SIZE = 8;

class Noise {
  constructor(
    readonly m: Machine,
    readonly pick: Pick,
    readonly kind: DeviceKind,
  ) {}

  address(): number {
    const { pick } = this;
    return [RAM + pick(RAM_BYTES), RAM + pick(0x8000), RAM + RAM_BYTES - pick(64), pick(2 ** 32), 0][
      Math.min(pick(12), 7) % 5
    ];
  }

  length(): number {
    const { pick } = this;
    return [16, 1, 512, 513, pick(4096), 0, pick(2 ** 32)][Math.min(pick(40), 6)];
  }

  /** Where a request's data lies: mostly somewhere that it can. */
  data(): [number, number] {
    const { pick } = this;
    return pick(6) === 0 ? [this.address(), this.length()] : [RAM + pick(RAM_BYTES - 8192), [512, 513, 4096][pick(3)]];
  }

  /** The beginning of a request, a block device's for the most part; its length. */
  header(): number {
    const { pick } = this;
    if (this.kind === DeviceKind.VIRTIO_MEM) {
      const request = new DataView(new ArrayBuffer(24));
      request.setUint16(0, pick(5), true);
      request.setBigUint64(8, BigInt(RAM + 4 * pick(5) * (1 << 20) + (pick(9) === 0 ? pick(2 ** 31) : 0)), true);
      request.setUint16(16, pick(9) === 0 ? pick(0x1_0000) : pick(4), true);
      this.m.fill(HEADER, new Uint8Array(request.buffer));
      return 24;
    }
    this.m.fill(HEADER, [[0, 1, 4, 8, 11, 13][pick(6)], 0, 0, 0, 0, 0, 0, 0, pick(256), pick(16)]);
    return 16;
  }

  split(q: SplitQueue): void {
    const { pick } = this;
    // A handful of descriptors that lead somewhere, some of them tables of such.
    for (let i = 0; i < SIZE; i++) {
      const flags = [0, 1, 2, 3, 2, 1, 3, 4, 6, pick(0x1_0000)][pick(10)];
      q.describe(i, flags === 4 ? TABLE : this.address(), flags === 4 ? 16 * pick(6) : this.length(), flags, pick(9));
      q.describe(i, this.address(), this.length(), [0, 1, 2, 3, 2][pick(5)], pick(9), TABLE);
    }
    const what = pick(3);
    if (what === 0) {
      // A buffer as other drivers give them.
      q.describe(0, RAM + pick(RAM_BYTES - 4096), 1 + pick(4096), [0, VirtqFlag.DESC_WRITE][pick(2)], 0);
      q.offer(0);
    } else if (what === 1) {
      q.describe(0, HEADER, this.header(), pick(9) === 0 ? pick(8) : 1, 1);
      q.describe(1, ...this.data(), [1, 3][pick(2)], 2);
      q.describe(2, pick(9) === 0 ? this.address() : HEADER + 32, 1 + pick(10), 2, 0);
      q.offer(0);
    } else {
      for (let n = pick(4); n >= 0; n--) q.offer(pick(60) === 0 ? pick(0x1_0000) : pick(8));
    }
    q.usedEvent = pick(0x1_0000);
  }

  /** Writes entries from where the device is in its ring: a driver that lost its place would write nothing that is seen. */
  packed(q: PackedQueue, place: number): void {
    const { pick } = this;
    let index = place & 0x7fff;
    let wrap = place >= 0x8000;
    const put = (address: number, length: number, flags: number) => {
      const available = pick(40) === 0 ? pick(0x1_0000) : q.availableFlags(wrap);
      q.describe(index, address, length, pick(0x1_0000), flags | available);
      if (++index < q.size) return;
      index = 0;
      wrap = !wrap;
    };
    for (let i = 0; i < SIZE; i++) q.describe(i, this.address(), this.length(), pick(9), [0, 2, 2, 7][pick(4)], TABLE);
    const what = pick(3);
    if (what === 0) {
      put(RAM + pick(RAM_BYTES - 4096), 1 + pick(4096), [0, VirtqFlag.DESC_WRITE][pick(2)]);
    } else if (what === 1) {
      put(HEADER, this.header(), pick(9) === 0 ? pick(8) : VirtqFlag.DESC_NEXT);
      put(...this.data(), VirtqFlag.DESC_NEXT | [0, VirtqFlag.DESC_WRITE][pick(2)]);
      put(pick(9) === 0 ? this.address() : HEADER + 32, 1 + pick(10), VirtqFlag.DESC_WRITE);
    } else {
      for (let n = pick(2 * q.size); n >= 0; n--) {
        const flags = [0, 1, 2, 3, 2, 1, 3, 4, 6, pick(0x1_0000)][pick(10)];
        put(flags === 4 ? TABLE : this.address(), flags === 4 ? 16 * pick(6) : this.length(), flags);
      }
    }
    q.setEvent(pick(0x1_0000), pick(4));
  }

  /** A register or two with anything in it; identification, features and the like go unharmed. */
  registers(t: Transport): void {
    const { pick, m } = this;
    for (let n = pick(3); n >= 0; n--) {
      const value = [0, 1, pick(32), pick(2 ** 32), RAM + 16 * pick(0x1000)][pick(5)];
      const base = t instanceof PciTransport ? t.bars[4] : Board.VIRTIO + t.index * Board.VIRTIO_SLOT_SIZE;
      const offset =
        t instanceof PciTransport ? [pick(0x40), 0x1000, 0x2000 + pick(64), 0x3000 + pick(80)][pick(4)] : pick(0x140);
      const size = [1, 2, 4, 8][pick(4)];
      m.write(base + (offset & -size), size, value);
      m.read(base + (offset & -size), size);
    }
  }
}

/** Place of the device in a queue: next available, next used. */
function progress(m: Machine, index: number, queue: number): { nextAvail: number; nextUsed: number } {
  const at = Dev.VIRTIO + index * Dev.VIRTIO_SIZE + 0x80 + 0x40 * queue + 36;
  return { nextAvail: m.view.getUint16(at, true), nextUsed: m.view.getUint16(at + 2, true) };
}

describe.each(cases)("$device over $name under noise", ({ kind, queues, attach }) => {
  it.each([1, 2, 3])("stays within RAM (seed %d)", (seed) => {
    const m = Machine.create();
    const flags =
      (kind === DeviceKind.VIRTIO_BLK ? queues << VirtioAttach.QUEUES_SHIFT : 0) |
      (seed & 1 ? VirtioAttach.NOTIFICATION_DATA : 0);
    const t = attach(m, { kind, capacity: kind === DeviceKind.VIRTIO_MEM ? 4 << 20 : 1 << 20, flags });
    const pick = random(seed * 0x9e37_79b9);
    const noise = new Noise(m, pick, kind);
    const outside = () => m.bytes.slice(Layout.STAGING, Layout.RAM);
    const before = outside();
    // Devices with memory have it from 8 MiB on.
    if (kind === DeviceKind.VIRTIO_PMEM) expect(m.call("virtioPmemSetPlace", t.index, 2048)).toBe(1);
    if (kind === DeviceKind.VIRTIO_MEM) {
      expect(m.call("virtioMemSetPlace", t.index, 2048)).toBe(1);
      m.call("virtioMemSetRequested", t.index, 4 << 20);
    }
    m.flushAnswer = 1;

    let starts = 0;
    let served = 0;
    let d = new Driver(m, t);
    for (let round = 0; round < 1500; round++) {
      if (round % 50 === 0 || t.status() !== READY) {
        starts++;
        d = new Driver(m, t);
        d.start(Array(queues).fill(SIZE), pick(2) === 0 ? [] : [VirtioFeature.EVENT_IDX]);
      }
      const number = pick(queues);
      const q: DriverQueue = d.queues[number];
      const { nextAvail, nextUsed } = progress(m, t.index, number);
      if (q instanceof PackedQueue) noise.packed(q, nextAvail);
      else noise.split(q as SplitQueue);
      if (pick(8) === 0) t.notify(number, pick(2 ** 32));
      else q.kick();
      if (progress(m, t.index, number).nextUsed !== nextUsed) served++;
      if (pick(4) === 0) t.takeInterrupt();
      if (pick(4) === 0) m.call("virtioPoll");
      if (pick(16) === 0) noise.registers(t);
      if (pick(16) === 0) {
        t.selectQueue(number);
        t.resetQueue();
        if (pick(4) !== 0) d.setUpQueue(number, SIZE);
      }
      if (pick(64) === 0 && kind === DeviceKind.VIRTIO_BLK) m.call("virtioBlkResize", 7, (1 + pick(8)) << 18);
      for (const tag of m.flushes.splice(0, pick(3))) m.call("diskDone", 7, tag, -pick(2));
      m.shareAnswers = pick(2) === 0 ? "now" : "later";
      for (const tag of m.shareTags.splice(0, pick(3))) m.call("shareDone", 7, tag, Layout.STAGING, pick(64));
      m.customAnswers = pick(2) === 0 ? "now" : "later";
      for (const tag of m.customTags.splice(0, pick(3))) m.call("customRequestDone", tag, Layout.STAGING, pick(64));
      if (kind === DeviceKind.VIRTIO_CUSTOM) m.call("virtioCustomGive", t.index, pick(3), Layout.STAGING, pick(64));
      if (kind === DeviceKind.VIRTIO_VSOCK && m.call("vsockRoom", t.index) !== 0)
        m.call("vsockGive", t.index, pick(5000));
      if (kind === DeviceKind.VIRTIO_CONSOLE) m.call("virtioConsoleInput", t.index, pick(9), Layout.STAGING, pick(64));
    }
    expect(starts).toBeGreaterThan(30);
    expect(served).toBeGreaterThan(100);
    expect(Buffer.compare(before, outside())).toBe(0);
    // Emergency output of a console is a byte of its configuration space.
    const own = Dev.VIRTIO + t.index * Dev.VIRTIO_SIZE;
    const isOwn = (call: string) => {
      const [, address, length] = /^consoleOut\((\d+), (\d+)\)$/.exec(call) ?? [];
      return Number(length) === 1 && Number(address) >= own && Number(address) < own + Dev.VIRTIO_SIZE;
    };
    expect(m.outside.filter((call) => !isOwn(call))).toEqual([]);
    expect(m.call("virtioValidate")).toBe(1);
  });
});
