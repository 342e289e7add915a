// Reset of one queue alone, and notification data: what both transports added in
// virtio 1.2 (2.6.1, 2.9, 4.1.4.3, 4.2.2).
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { VirtioAttach, VirtioBlk, VirtioFeature, VirtioPciCommon } from "../../../assembly/abi/virtio.ts";
import { Bench, SIZE } from "./containment.ts";
import { bit, Driver, type DriverQueue, forms, PciTransport, READY } from "./driver.ts";
import { Machine } from "./machine.ts";

describe.each(forms)("queue reset over $name", ({ attach }) => {
  let b: Bench<DriverQueue>;
  beforeEach(() => {
    b = new Bench(attach);
    b.t.selectQueue(0);
  });

  it("is done at once, and the queue can be set up anew, with another size", () => {
    b.q.add([b.room()]);
    b.q.kick();
    b.t.selectQueue(0);
    expect(b.t.resetQueue()).toBe(0);
    expect(b.t.enabled()).toBe(false);
    expect(b.t.status()).toBe(READY);
    const old = b.q.snapshot();
    const q = b.d.setUpQueue(0, SIZE / 2);
    expect(b.t.enabled()).toBe(true);
    for (let i = 0; i < 20; i++) {
      q.add([b.room()]);
      q.kick();
      expect(q.takeAll()).toHaveLength(1);
    }
    expect(b.q.snapshot()).toEqual(old);
  });

  it("leaves nothing of what waited: a kick after it counts as a stray", () => {
    const strays = b.m.call("virtioStrays", b.t.index);
    b.t.resetQueue();
    b.q.add([b.room()]);
    b.q.kick();
    b.m.call("virtioPoll");
    expect(b.m.entropyBytes).toBe(0);
    expect(b.m.call("virtioStrays", b.t.index)).toBe(strays + 1);
    expect(b.m.call("virtioValidate")).toBe(1);
  });

  it("does nothing unless it was agreed, or to a queue that is not there", () => {
    b.t.selectQueue(1);
    expect(b.t.resetQueue()).toBe(0);
    b.start([VirtioFeature.RING_RESET]);
    b.t.selectQueue(0);
    b.t.resetQueue();
    expect(b.t.enabled()).toBe(true);
    b.q.add([b.room()]);
    b.q.kick();
    expect(b.q.takeAll()).toHaveLength(1);
  });

  it("forgets flushes that the host still works at, of this queue alone", () => {
    const m = Machine.create();
    const flags = 2 << VirtioAttach.QUEUES_SHIFT;
    const t = attach(m, { kind: DeviceKind.VIRTIO_BLK, backend: 7, capacity: 1 << 20, flags });
    const d = new Driver(m, t);
    d.start([16, 16]);
    m.flushAnswer = 1;
    const flush = (queue: number) => {
      const header = d.place([VirtioBlk.T_FLUSH, ...Array(15).fill(0)]);
      const status = d.place([0xff]);
      d.queues[queue].add([
        { address: header, length: 16 },
        { address: status, length: 1, write: true },
      ]);
      d.queues[queue].kick();
      return status;
    };
    const lost = flush(0);
    const kept = flush(1);
    t.selectQueue(0);
    t.resetQueue();
    expect(m.call("virtioValidate")).toBe(1);
    d.setUpQueue(0, 16);
    const again = flush(0);
    // The first answer is for the flush that was given up: the one after it must not take it.
    const [first, second, third] = m.flushes;
    expect(new Set(m.flushes).size).toBe(3);
    m.call("diskDone", 7, first, 0);
    expect(d.queues[0].take()).toBeUndefined();
    expect([m.peek(lost, 1)[0], m.peek(again, 1)[0]]).toEqual([0xff, 0xff]);
    m.call("diskDone", 7, third, 0);
    m.call("diskDone", 7, second, 0);
    expect(d.queues[0].takeAll()).toHaveLength(1);
    expect(d.queues[1].takeAll()).toHaveLength(1);
    expect([m.peek(again, 1)[0], m.peek(kept, 1)[0]]).toEqual([VirtioBlk.S_OK, VirtioBlk.S_OK]);
    // Restored while one is given up: nobody asks the host for that again.
    m.flushes.length = 0;
    flush(0);
    t.selectQueue(0);
    t.resetQueue();
    const state = m.state(t.index);
    m.restore(t.index, state);
    expect(m.call("virtioValidate")).toBe(1);
    m.call("virtioResume");
    expect(m.flushes).toHaveLength(1);
    d.setUpQueue(0, 16);
    for (let i = 0; i < 32 - 1; i++) {
      d.setUpQueue(0, 16);
      flush(0);
      t.selectQueue(0);
      t.resetQueue();
    }
    expect(m.call("virtioValidate")).toBe(1);
  });
});

describe.each(forms)("notification data over $name", ({ attach, isPacked }) => {
  const start = () => {
    const m = Machine.create();
    const t = attach(m, { kind: DeviceKind.VIRTIO_RNG, flags: VirtioAttach.NOTIFICATION_DATA });
    const d = new Driver(m, t);
    const [q] = d.start([SIZE], []);
    return { m, t, d, q };
  };

  it("is offered on request", () => {
    const plain = new Bench(attach);
    expect(plain.t.deviceFeatures() & bit(VirtioFeature.NOTIFICATION_DATA)).toBe(0n);
    const { t, d } = start();
    expect(d.has(VirtioFeature.NOTIFICATION_DATA)).toBe(true);
    expect(d.has(VirtioFeature.NOTIF_CONFIG_DATA)).toBe(t instanceof PciTransport);
    expect(d.has(VirtioFeature.RING_PACKED)).toBe(isPacked);
  });

  it("names the queue in its lower half, whatever it says of the ring", () => {
    const { m, t, d, q } = start();
    for (let i = 0; i < 3 * SIZE; i++) {
      q.add([{ address: d.allocate(4), length: 4, write: true }]);
      q.kick();
      expect(q.takeAll()).toHaveLength(1);
    }
    q.add([{ address: d.allocate(4), length: 4, write: true }]);
    t.notify(0, 0xffff_0000);
    expect(q.takeAll()).toHaveLength(1);
    if (t instanceof PciTransport) return; // there the address names it
    const strays = m.call("virtioStrays", t.index);
    t.notify(1, 0x0001_0001);
    expect(m.call("virtioStrays", t.index)).toBe(strays + 1);
  });

  it("has a number for each queue to be notified by", () => {
    const { t } = start();
    if (!(t instanceof PciTransport)) return expect(t.name).toBe("mmio");
    const m = Machine.create();
    const console = attach(m, { kind: DeviceKind.VIRTIO_CONSOLE }) as PciTransport;
    for (const queue of [0, 5, 17]) {
      console.selectQueue(queue);
      expect(console.get(VirtioPciCommon.QUEUE_NOTIFY_DATA, 2)).toBe(queue);
    }
  });
});
