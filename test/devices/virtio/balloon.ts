// Memory balloon. virtio 1.2, 5.5.
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { VirtioBalloon, VirtioFeature, VirtioInterrupt } from "../../../assembly/abi/virtio.ts";
import { Driver, READY, type Transport, transports } from "./driver.ts";
import { Machine, RAM, RAM_BYTES } from "./machine.ts";

const PAGE = 4096;
const PFN = RAM / PAGE;
const [INFLATE, DEFLATE, STATS, FOURTH, REPORTING] = [0, 1, 2, 3, 4];

describe.each(transports)("virtio-balloon over $name", ({ attach }) => {
  let m: Machine;
  let t: Transport;
  let d: Driver;

  beforeEach(() => {
    m = Machine.create();
    t = attach(m, { kind: DeviceKind.VIRTIO_BALLOON });
    d = new Driver(m, t);
    d.start(Array(5).fill(16), [VirtioFeature.EVENT_IDX, VirtioBalloon.F_PAGE_POISON]);
  });

  const give = (queue: number, pfns: number[]) => {
    const bytes = new Uint8Array(new Uint32Array(pfns).buffer);
    d.queues[queue].add([{ address: d.place(bytes), length: bytes.length }]);
    d.queues[queue].kick();
    expect(d.queues[queue].takeAll()).toHaveLength(1);
  };
  const pages = () => m.call("virtioBalloonPages", t.index);

  it("tells the driver what the host wants", () => {
    expect(t.config(VirtioBalloon.CONFIG_NUM_PAGES, 4)).toBe(0);
    expect(m.call("virtioBalloonSetTarget", t.index, 300)).toBe(1);
    expect(t.takeInterrupt()).toBe(VirtioInterrupt.CONFIGURATION);
    expect(t.config(VirtioBalloon.CONFIG_NUM_PAGES, 4)).toBe(300);
    t.setConfig(VirtioBalloon.CONFIG_ACTUAL, 4, 300);
    expect(t.config(VirtioBalloon.CONFIG_ACTUAL, 4)).toBe(300);
    t.setConfig(VirtioBalloon.CONFIG_NUM_PAGES, 4, 7);
    expect(t.config(VirtioBalloon.CONFIG_NUM_PAGES, 4)).toBe(300);
  });

  it("counts pages once, and zeroes what goes in", () => {
    const page = RAM + 0x40_0000;
    m.fill(page - 1, new Uint8Array(PAGE + 2).fill(7));
    give(INFLATE, [page / PAGE, page / PAGE, PFN + 512]);
    expect(pages()).toBe(2);
    expect(m.peek(page, PAGE).every((byte) => byte === 0)).toBe(true);
    expect([m.peek(page - 1, 1)[0], m.peek(page + PAGE, 1)[0]]).toEqual([7, 7]);
    give(DEFLATE, [page / PAGE, page / PAGE, PFN + 513]);
    expect(pages()).toBe(1);
    expect(m.call("virtioValidate")).toBe(1);
  });

  it("takes no page that is not memory", () => {
    give(INFLATE, [0, PFN - 1, PFN + RAM_BYTES / PAGE, 0xffff_ffff]);
    expect(pages()).toBe(0);
    expect(m.call("virtioStrays", t.index)).toBe(4);
    expect(t.status()).toBe(READY);
  });

  it("breaks with a driver that names pages without end", () => {
    d.queues[INFLATE].add([{ address: RAM + 0x10_0000, length: 1 << 20 }]);
    d.queues[INFLATE].kick();
    expect(t.status()).not.toBe(READY);
  });

  it("is empty after a reset, and still wants what it wanted", () => {
    m.call("virtioBalloonSetTarget", t.index, 5);
    give(INFLATE, [PFN + 600]);
    t.setStatus(0);
    expect(pages()).toBe(0);
    expect(t.config(VirtioBalloon.CONFIG_NUM_PAGES, 4)).toBe(5);
    expect(m.call("virtioValidate")).toBe(1);
  });

  it.each([FOURTH, REPORTING])("zeroes pages that are reported as free on queue %d", (queue) => {
    const at = RAM + 0x40_0000;
    m.fill(at - 1, new Uint8Array(2 * PAGE + 2).fill(7));
    d.queues[queue].add([
      { address: at, length: PAGE, write: true },
      { address: at + PAGE, length: PAGE, write: true },
    ]);
    d.queues[queue].kick();
    expect(d.queues[queue].takeAll()).toHaveLength(1);
    expect(m.peek(at, 2 * PAGE).every((byte) => byte === 0)).toBe(true);
    expect([m.peek(at - 1, 1)[0], m.peek(at + 2 * PAGE, 1)[0]]).toEqual([7, 7]);
    expect(m.call("virtioBalloonReported", t.index)).toBe(2 * PAGE);
  });

  it("leaves poisoned pages as they are", () => {
    d = new Driver(m, t);
    d.start(Array(5).fill(16));
    t.setConfig(VirtioBalloon.CONFIG_POISON_VAL, 4, 0xaaaa_aaaa);
    const at = RAM + 0x40_0000;
    m.fill(at, new Uint8Array(PAGE).fill(0xaa));
    d.queues[REPORTING].add([{ address: at, length: PAGE, write: true }]);
    d.queues[REPORTING].kick();
    expect(d.queues[REPORTING].takeAll()).toHaveLength(1);
    expect(m.peek(at, PAGE).every((byte) => byte === 0xaa)).toBe(true);
  });

  it("without statistics the third queue is for reports", () => {
    d = new Driver(m, t);
    d.start(Array(5).fill(16), [VirtioBalloon.F_STATS_VQ]);
    const at = RAM + 0x40_0000;
    m.fill(at, [1]);
    d.queues[STATS].add([{ address: at, length: PAGE, write: true }]);
    d.queues[STATS].kick();
    expect(d.queues[STATS].takeAll()).toHaveLength(1);
    expect(m.peek(at, 1)[0]).toBe(0);
  });

  it("keeps the buffer with statistics until others are wanted", () => {
    const q = d.queues[STATS];
    const bytes = new Uint8Array(2 * VirtioBalloon.STAT_BYTES + VirtioBalloon.STAT_BYTES);
    const view = new DataView(bytes.buffer);
    const put = (i: number, tag: number, value: bigint) => {
      view.setUint16(i * VirtioBalloon.STAT_BYTES, tag, true);
      view.setBigUint64(i * VirtioBalloon.STAT_BYTES + 2, value, true);
    };
    put(0, 4, 12345n);
    put(1, 5, 1n << 40n);
    put(2, 99, 1n);
    expect(m.call("virtioBalloonAskStats", t.index)).toBe(0);
    const give = () => {
      q.add([{ address: d.place(bytes), length: bytes.length }]);
      q.kick();
    };
    give();
    expect(q.takeAll()).toEqual([]);
    expect(m.call("virtioBalloonStatsKnown", t.index)).toBe((1 << 4) | (1 << 5));
    const at = m.call("virtioBalloonStats", t.index);
    expect(m.view.getBigUint64(at + 8 * 4, true)).toBe(12345n);
    expect(m.view.getBigUint64(at + 8 * 5, true)).toBe(1n << 40n);
    const serial = m.call("virtioBalloonStatsSerial", t.index);
    expect(m.call("virtioBalloonAskStats", t.index)).toBe(1);
    expect(q.takeAll()).toHaveLength(1);
    put(0, 4, 777n);
    give();
    expect(m.call("virtioBalloonStatsSerial", t.index)).toBe(serial + 1);
    expect(m.view.getBigUint64(at + 8 * 4, true)).toBe(777n);
  });
});
