// Block device: requests in every layout, ranges, errors, flushes that take their time.
// virtio 1.2, 5.2.
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import {
  VirtioAttach,
  VirtioBlk,
  VirtioBlkConfig,
  VirtioFeature,
  VirtioInterrupt,
  VirtioStatus,
} from "../../../assembly/abi/virtio.ts";
import { type Buffer, bit, Driver, type DriverQueue, forms, READY } from "./driver.ts";
import { Machine } from "./machine.ts";

const BACKEND = 7;
const SECTORS = 8192;
const S_OK = VirtioBlk.S_OK;
const S_IOERR = VirtioBlk.S_IOERR;
const S_UNSUPP = VirtioBlk.S_UNSUPP;
const T_IN = VirtioBlk.T_IN;
const T_OUT = VirtioBlk.T_OUT;
const T_FLUSH = VirtioBlk.T_FLUSH;
const T_GET_ID = VirtioBlk.T_GET_ID;
const T_DISCARD = VirtioBlk.T_DISCARD;
const T_WRITE_ZEROES = VirtioBlk.T_WRITE_ZEROES;

/** What is on the disk at first. */
const pattern = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 7 + (i >> 9)) & 0xff);

class BlkDriver extends Driver {
  get queue(): DriverQueue {
    return this.queues[0];
  }
  header(type: number, sector: number): Uint8Array {
    const header = new DataView(new ArrayBuffer(16));
    header.setUint32(0, type, true);
    header.setBigUint64(8, BigInt(sector), true);
    return new Uint8Array(header.buffer);
  }
  /** Submits a request; where its status byte will be. */
  submit(type: number, sector: number, data: Buffer[], indirect = false): { head: number; status: number } {
    const header = { address: this.place(this.header(type, sector)), length: 16 };
    const status = { address: this.place([0xff]), length: 1, write: true };
    const head = this.queue.add([header, ...data, status], indirect);
    return { head, status: status.address };
  }
  /** Submits, kicks, and expects it to be done: its status and used length. */
  request(type: number, sector: number, data: Buffer[] = [], indirect = false): { status: number; length: number } {
    const { head, status } = this.submit(type, sector, data, indirect);
    this.queue.kick();
    const used = this.queue.take();
    if (used?.head !== head) throw new Error(`request ${head} is not done: ${JSON.stringify(used)}`);
    return { status: this.machine.peek(status, 1)[0], length: used.length };
  }
  ranges(
    type: number,
    ranges: { sector: number; count: number; flags?: number }[],
  ): { status: number; length: number } {
    const data = new DataView(new ArrayBuffer(16 * ranges.length));
    ranges.forEach((r, i) => {
      data.setBigUint64(16 * i, BigInt(r.sector), true);
      data.setUint32(16 * i + 8, r.count, true);
      data.setUint32(16 * i + 12, r.flags ?? 0, true);
    });
    return this.request(type, 0, [{ address: this.place(new Uint8Array(data.buffer)), length: data.byteLength }]);
  }
}

describe.each(forms)("virtio-blk over $name", ({ attach }) => {
  let m: Machine;
  let d: BlkDriver;

  const start = (without: number[] = [VirtioFeature.EVENT_IDX], flags = 0) => {
    m = Machine.create();
    m.disk.set(pattern);
    d = new BlkDriver(m, attach(m, { kind: DeviceKind.VIRTIO_BLK, backend: BACKEND, capacity: SECTORS * 512, flags }));
    d.start([128], without);
  };
  beforeEach(() => start());

  const room = (length: number): Buffer => ({ address: d.allocate(length), length, write: true });

  it("tells its size and limits", () => {
    const t = d.transport;
    expect(t.config(VirtioBlkConfig.CAPACITY, 8)).toBe(SECTORS);
    expect(t.config(VirtioBlkConfig.CAPACITY, 4)).toBe(SECTORS);
    expect(t.config(VirtioBlkConfig.SEG_MAX, 4)).toBe(254);
    expect(t.config(VirtioBlkConfig.BLK_SIZE, 4)).toBe(512);
    expect(t.config(VirtioBlkConfig.PHYSICAL_BLOCK_EXP, 1)).toBe(3);
    expect(t.config(VirtioBlkConfig.ALIGNMENT_OFFSET, 1)).toBe(0);
    expect(t.config(VirtioBlkConfig.MIN_IO_SIZE, 2)).toBe(8);
    expect(t.config(VirtioBlkConfig.NUM_QUEUES, 2)).toBe(1);
    expect(t.config(VirtioBlkConfig.MAX_DISCARD_SEG, 4)).toBe(32);
    expect(t.config(VirtioBlkConfig.WRITEBACK, 1)).toBe(1);
    expect(t.config(VirtioBlkConfig.SIZE, 4)).toBe(0);
    expect(t.config(VirtioBlkConfig.SIZE - 4, 8)).toBe(0);
  });

  it("reads what is on the disk, and writes what is then on the disk", () => {
    const buffer = room(4096);
    expect(d.request(T_IN, 5, [buffer])).toEqual({ status: S_OK, length: 4097 });
    expect(m.peek(buffer.address, 4096)).toEqual(m.disk.slice(5 * 512, 5 * 512 + 4096));
    const data = Uint8Array.from({ length: 1024 }, (_, i) => i ^ 0x5a);
    expect(d.request(T_OUT, 100, [{ address: d.place(data), length: 1024 }])).toEqual({ status: S_OK, length: 1 });
    expect(m.disk.slice(51200, 52224)).toEqual(data);
    expect(d.transport.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
  });

  it("takes buffers that touch as one, others one by one", () => {
    const at = d.allocate(4096);
    const parts = [0, 512, 1024, 3072].map((offset) => ({ address: at + offset, length: 512, write: true }));
    expect(d.request(T_IN, 0, parts).status).toBe(S_OK);
    expect(m.calls).toEqual([
      { kind: "read", offset: 0, length: 1536 },
      { kind: "read", offset: 1536, length: 512 },
    ]);
    expect(m.peek(at + 3072, 512)).toEqual(m.disk.slice(1536, 2048));
  });

  it.each([false, true])("does not care how a request is cut up (indirect %s)", (indirect) => {
    const header = d.place(d.header(T_OUT, 3));
    const data = Uint8Array.from({ length: 512 }, (_, i) => 255 - (i & 0xff));
    const joined = d.place([...d.header(T_OUT, 4), ...data]);
    const status = d.place([0xff, 0xff]);
    // A header of three pieces, data of unequal ones.
    const at = d.place(data);
    d.queue.add(
      [
        { address: header, length: 1 },
        { address: header + 1, length: 8 },
        { address: header + 9, length: 7 },
        { address: at, length: 1 },
        { address: at + 1, length: 510 },
        { address: at + 511, length: 1 },
        { address: status, length: 1, write: true },
      ],
      indirect,
    );
    // Header and data in one.
    d.queue.add(
      [
        { address: joined, length: 528 },
        { address: status + 1, length: 1, write: true },
      ],
      indirect,
    );
    d.queue.kick();
    expect(d.queue.takeAll().map((u) => u.length)).toEqual([1, 1]);
    expect([...m.peek(status, 2)]).toEqual([S_OK, S_OK]);
    expect(m.disk.slice(3 * 512, 4 * 512)).toEqual(data);
    expect(m.disk.slice(4 * 512, 5 * 512)).toEqual(data);
    // Data and status in one.
    const into = d.allocate(513);
    d.queue.add([
      { address: d.place(d.header(T_IN, 3)), length: 16 },
      { address: into, length: 513, write: true },
    ]);
    d.queue.kick();
    expect(d.queue.take()?.length).toBe(513);
    expect(m.peek(into, 513)).toEqual(Uint8Array.from([...data, S_OK]));
  });

  it("reads the last sector, and nothing across the end", () => {
    expect(d.request(T_IN, SECTORS - 1, [room(512)]).status).toBe(S_OK);
    m.calls.length = 0;
    for (const [sector, length] of [
      [SECTORS - 1, 1024],
      [SECTORS, 512],
      [2 ** 53, 512],
    ]) {
      expect(d.request(T_IN, sector, [room(length)])).toEqual({ status: S_IOERR, length: 0 });
      expect(d.request(T_OUT, sector, [{ ...room(length), write: false }])).toEqual({ status: S_IOERR, length: 1 });
    }
    const wrap = { address: d.place(d.header(T_IN, 0)), length: 16 };
    m.view.setBigUint64(m.at(wrap.address) + 8, 2n ** 64n - 1n, true);
    const status = room(1);
    d.queue.add([wrap, room(512), status]);
    d.queue.kick();
    expect(m.peek(status.address, 1)[0]).toBe(S_IOERR);
    expect(m.calls).toEqual([]);
  });

  it("refuses parts of sectors and unknown requests", () => {
    expect(d.request(T_IN, 0, [room(511)]).status).toBe(S_IOERR);
    expect(d.request(T_OUT, 0, [{ ...room(513), write: false }]).status).toBe(S_IOERR);
    expect(d.request(2, 0, [room(512)])).toEqual({ status: S_UNSUPP, length: 0 });
    expect(d.request(0xffff_ffff, 0).status).toBe(S_UNSUPP);
    expect(d.transport.status()).toBe(READY);
  });

  it("passes on that the host failed", () => {
    m.diskAnswer = -5;
    expect(d.request(T_IN, 0, [room(512)])).toEqual({ status: S_IOERR, length: 0 });
    expect(d.request(T_OUT, 0, [{ ...room(512), write: false }]).status).toBe(S_IOERR);
    m.diskAnswer = -95;
    expect(d.ranges(T_DISCARD, [{ sector: 0, count: 8 }]).status).toBe(S_UNSUPP);
    m.flushAnswer = -5;
    expect(d.request(T_FLUSH, 0).status).toBe(S_IOERR);
  });

  it("has a serial number", () => {
    const buffer = room(20);
    expect(d.request(T_GET_ID, 0, [buffer])).toEqual({ status: S_OK, length: 21 });
    const text = new TextDecoder().decode(m.peek(buffer.address, 20)).replaceAll("\0", "");
    expect(text).toBe(`paravane-disk-${String(d.transport.index).padStart(2, "0")}`);
    expect(d.request(T_GET_ID, 0, [room(19)]).status).toBe(S_IOERR);
  });

  it("discards and zeroes ranges, all or none", () => {
    expect(d.ranges(T_WRITE_ZEROES, [{ sector: 8, count: 8, flags: 1 }]).status).toBe(S_OK);
    expect(m.disk.slice(4096, 8192).every((b) => b === 0)).toBe(true);
    expect(
      d.ranges(T_DISCARD, [
        { sector: 16, count: 8 },
        { sector: 32, count: 8 },
      ]).status,
    ).toBe(S_OK);
    expect(m.calls.slice(-2)).toEqual([
      { kind: "discard", offset: 8192, length: 4096 },
      { kind: "discard", offset: 16384, length: 4096 },
    ]);
    m.calls.length = 0;
    const good = { sector: 0, count: 8 };
    expect(d.ranges(T_DISCARD, [good, { sector: SECTORS - 1, count: 2 }]).status).toBe(S_IOERR);
    expect(d.ranges(T_DISCARD, [good, { sector: 0, count: 8, flags: 1 }]).status).toBe(S_UNSUPP);
    expect(d.ranges(T_WRITE_ZEROES, [good, { sector: 0, count: 8, flags: 2 }]).status).toBe(S_UNSUPP);
    expect(d.ranges(T_WRITE_ZEROES, [{ sector: 0, count: 0xffff_ffff }]).status).toBe(S_IOERR);
    expect(d.ranges(T_DISCARD, Array(33).fill(good)).status).toBe(S_IOERR);
    expect(d.ranges(T_DISCARD, []).status).toBe(S_IOERR);
    expect(d.request(T_DISCARD, 0, [{ ...room(15), write: false }]).status).toBe(S_IOERR);
    expect(m.calls).toEqual([]);
  });

  it("writes nothing to a disk that is read-only", () => {
    start([VirtioFeature.EVENT_IDX], VirtioAttach.READ_ONLY);
    const features = d.transport.deviceFeatures();
    expect(features & bit(VirtioBlk.F_RO)).not.toBe(0n);
    expect(features & (bit(VirtioBlk.F_DISCARD) | bit(VirtioBlk.F_WRITE_ZEROES))).toBe(0n);
    expect(d.request(T_OUT, 0, [{ ...room(512), write: false }]).status).toBe(S_IOERR);
    expect(d.ranges(T_WRITE_ZEROES, [{ sector: 0, count: 8 }]).status).toBe(S_IOERR);
    expect(d.request(T_FLUSH, 0).status).toBe(S_OK);
    expect(m.calls).toEqual([]);
    expect(d.request(T_IN, 0, [room(512)]).status).toBe(S_OK);
  });

  it.each([
    ["no cache was agreed", [VirtioFeature.EVENT_IDX, VirtioBlk.F_FLUSH, VirtioBlk.F_CONFIG_WCE]],
    ["the cache starts off", [VirtioFeature.EVENT_IDX, VirtioBlk.F_FLUSH]],
  ])("makes each write durable if %s", (_when, without) => {
    start(without);
    d.request(T_OUT, 0, [{ ...room(512), write: false }]);
    expect(m.calls.map((c) => c.kind)).toEqual(["write", "flush"]);
    d.request(T_IN, 0, [room(512)]);
    expect(m.calls.at(-1)?.kind).toBe("read");
  });

  it("lets the driver switch the cache, and nothing else", () => {
    const t = d.transport;
    for (let offset = 0; offset < 64; offset++) if (offset !== VirtioBlkConfig.WRITEBACK) t.setConfig(offset, 1, 0xff);
    expect(t.config(VirtioBlkConfig.CAPACITY, 8)).toBe(SECTORS);
    t.setConfig(VirtioBlkConfig.WRITEBACK, 1, 0);
    expect(t.config(VirtioBlkConfig.WRITEBACK, 1)).toBe(0);
    d.request(T_OUT, 0, [{ ...room(512), write: false }]);
    expect(m.calls.map((c) => c.kind)).toEqual(["write", "flush"]);
  });

  describe("with a flush that takes its time", () => {
    const done = (tag: number, status = 0, backend = BACKEND) => m.call("diskDone", backend, tag, status);
    beforeEach(() => {
      m.flushAnswer = 1;
    });

    it("goes on with other requests, and completes it when it is done", () => {
      const flush = d.submit(T_FLUSH, 0, []);
      d.queue.kick();
      expect(d.queue.take()).toBeUndefined();
      expect(d.transport.takeInterrupt()).toBe(0);
      expect(d.request(T_IN, 0, [room(512)]).status).toBe(S_OK);
      d.transport.takeInterrupt();
      expect(done(m.flushes[0])).toBe(1);
      expect(d.queue.take()).toEqual({ head: flush.head, length: 1 });
      expect(m.peek(flush.status, 1)[0]).toBe(S_OK);
      expect(d.transport.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
    });

    it("keeps several apart, whatever their order", () => {
      const all = [d.submit(T_FLUSH, 0, []), d.submit(T_FLUSH, 0, []), d.submit(T_FLUSH, 0, [])];
      d.queue.kick();
      done(m.flushes[2]);
      done(m.flushes[0], -5);
      done(m.flushes[1]);
      expect(d.queue.takeAll().map((u) => u.head)).toEqual([all[2].head, all[0].head, all[1].head]);
      expect(all.map((f) => m.peek(f.status, 1)[0])).toEqual([S_IOERR, S_OK, S_OK]);
    });

    it("takes each answer once, for its own disk", () => {
      d.submit(T_FLUSH, 0, []);
      d.queue.kick();
      expect(done(m.flushes[0], 0, BACKEND + 1)).toBe(0);
      expect(done(m.flushes[0] + 1)).toBe(0);
      expect(done(m.flushes[0] + 0x100)).toBe(0);
      expect(done(m.flushes[0])).toBe(1);
      expect(done(m.flushes[0])).toBe(0);
      expect(d.queue.takeAll()).toHaveLength(1);
    });

    it("waits when too many are under way, and then goes on", () => {
      for (let i = 0; i < 40; i++) d.submit(T_FLUSH, 0, []);
      d.queue.kick();
      expect(m.flushes).toHaveLength(32);
      expect(m.call("virtioPoll")).toBe(0);
      done(m.flushes[0]);
      expect(m.flushes).toHaveLength(33);
      m.flushAnswer = 0;
      done(m.flushes[1]);
      expect(d.queue.takeAll()).toHaveLength(9);
      for (const tag of m.flushes.slice(2)) expect(done(tag)).toBe(1);
      expect(d.queue.takeAll()).toHaveLength(31);
    });

    it("forgets it on reset: a late answer touches nothing", () => {
      const flush = d.submit(T_FLUSH, 0, []);
      d.queue.kick();
      const old = d.queue;
      const before = old.snapshot();
      d.transport.setStatus(0);
      d.start([128]);
      const again = d.submit(T_FLUSH, 0, []);
      d.queue.kick();
      expect(m.flushes).toHaveLength(2);
      expect(done(m.flushes[0])).toBe(0);
      expect(d.queue.take()).toBeUndefined();
      expect(m.peek(flush.status, 1)[0]).toBe(0xff);
      expect(old.snapshot()).toEqual(before);
      expect(done(m.flushes[1])).toBe(1);
      expect(d.queue.take()).toEqual({ head: again.head, length: 1 });
    });

    it("forgets it at power-on: a late answer is not taken for another's", () => {
      d.submit(T_FLUSH, 0, []);
      d.queue.kick();
      m.call("virtioInit");
      m.call("pciInit");
      d = new BlkDriver(m, attach(m, { kind: DeviceKind.VIRTIO_BLK, backend: BACKEND, capacity: SECTORS * 512 }));
      d.start([128]);
      d.submit(T_FLUSH, 0, []);
      d.queue.kick();
      expect(m.flushes).toHaveLength(2);
      expect(done(m.flushes[0])).toBe(0);
      expect(done(m.flushes[1])).toBe(1);
    });

    it("asks the host again after a restore", () => {
      const flush = d.submit(T_FLUSH, 0, []);
      d.queue.kick();
      const state = m.state(d.transport.index);
      done(m.flushes[0]);
      d.queue.take();
      m.restore(d.transport.index, state);
      expect(m.call("virtioValidate")).toBe(1);
      m.fill(flush.status, [0xff]);
      m.flushAnswer = 0;
      m.call("virtioResume");
      expect(m.peek(flush.status, 1)[0]).toBe(S_OK);
      // The chain came back once before and once after: at the same place of the ring.
      expect(d.queue.take()).toBeUndefined();
    });
  });

  it.each([
    ["no status byte", [16], []],
    ["half a header", [8], [1]],
    ["no header at all", [], [513]],
  ])("stops at a chain with %s", (_what, readable, writable) => {
    d.queue.add([
      ...readable.map((length) => ({ address: d.allocate(length), length })),
      ...writable.map((length) => ({ address: d.allocate(length), length, write: true })),
    ]);
    d.queue.kick();
    expect(d.queue.take()).toBeUndefined();
    expect(d.transport.status()).toBe(READY | VirtioStatus.DEVICE_NEEDS_RESET);
    expect(m.calls).toEqual([]);
  });

  it("serves a long chain in one indirect table", () => {
    const at = d.allocate(254 * 1024);
    const parts = Array.from({ length: 254 }, (_, i) => ({ address: at + i * 1024, length: 512, write: true }));
    expect(d.request(T_IN, 0, parts, true)).toEqual({ status: S_OK, length: 254 * 512 + 1 });
    expect(m.peek(at + 253 * 1024, 512)).toEqual(m.disk.slice(253 * 512, 254 * 512));
  });

  it("has as many queues as it was attached with, and answers on the one that asked", () => {
    expect(d.transport.deviceFeatures() & bit(VirtioBlk.F_MQ)).toBe(0n);
    m = Machine.create();
    m.disk.set(pattern);
    const flags = 4 << VirtioAttach.QUEUES_SHIFT;
    d = new BlkDriver(m, attach(m, { kind: DeviceKind.VIRTIO_BLK, backend: BACKEND, capacity: SECTORS * 512, flags }));
    expect(d.transport.deviceFeatures() & bit(VirtioBlk.F_MQ)).not.toBe(0n);
    expect(d.transport.config(VirtioBlkConfig.NUM_QUEUES, 2)).toBe(4);
    d.transport.selectQueue(4);
    expect(d.transport.queueMax()).toBe(0);
    d.start([16, 16, 16, 16]);
    const all = [...d.queues];
    const on = (queue: number) => {
      d.queues[0] = all[queue];
    };
    m.flushAnswer = 1;
    const flushes = [3, 1, 2].map((queue) => {
      on(queue);
      const flush = d.submit(T_FLUSH, 0, []);
      d.queue.kick();
      return { queue, flush };
    });
    on(0);
    const buffer = room(512);
    expect(d.request(T_IN, 1, [buffer]).status).toBe(S_OK);
    expect(m.peek(buffer.address, 512)).toEqual(m.disk.slice(512, 1024));
    const state = m.state(d.transport.index);
    expect(m.call("virtioValidate")).toBe(1);
    state[0x540 + 0x40 + 12] = 4; // a chain held of a queue that is not there
    m.restore(d.transport.index, state);
    expect(m.call("virtioValidate")).toBe(0);
    state[0x540 + 0x40 + 12] = 3;
    m.restore(d.transport.index, state);
    for (const [i, { queue, flush }] of flushes.entries()) {
      expect(all[queue].take()).toBeUndefined();
      m.call("diskDone", BACKEND, m.flushes[i], 0);
      expect(all[queue].takeAll()).toEqual([{ head: flush.head, length: 1 }]);
      expect(m.peek(flush.status, 1)[0]).toBe(S_OK);
    }
  });

  it("tells the driver of a new capacity, and serves what is then there", () => {
    const generation = d.transport.generation();
    expect(d.request(T_IN, SECTORS - 1, [room(512)]).status).toBe(S_OK);
    d.transport.takeInterrupt();
    expect(m.call("virtioBlkResize", BACKEND, SECTORS * 256)).toBe(1);
    expect(d.transport.config(VirtioBlkConfig.CAPACITY, 8)).toBe(SECTORS / 2);
    expect(d.transport.generation()).not.toBe(generation);
    expect(d.transport.takeInterrupt()).toBe(VirtioInterrupt.CONFIGURATION);
    expect(d.request(T_IN, SECTORS - 1, [room(512)]).status).toBe(S_IOERR);
    expect(d.request(T_IN, SECTORS / 2 - 1, [room(512)]).status).toBe(S_OK);
    d.transport.takeInterrupt();
    // The same again is no news; another disk's size is not this one's.
    expect(m.call("virtioBlkResize", BACKEND, SECTORS * 256)).toBe(1);
    expect(m.call("virtioBlkResize", BACKEND + 1, SECTORS * 512)).toBe(0);
    expect(d.transport.takeInterrupt()).toBe(0);
    expect(d.transport.config(VirtioBlkConfig.CAPACITY, 8)).toBe(SECTORS / 2);
    d.transport.setStatus(0);
    m.call("virtioBlkResize", BACKEND, SECTORS * 512);
    expect(d.transport.takeInterrupt()).toBe(0);
    expect(d.transport.config(VirtioBlkConfig.CAPACITY, 8)).toBe(SECTORS);
  });
});
