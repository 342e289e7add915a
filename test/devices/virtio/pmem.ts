// Persistent memory device. virtio 1.2, 5.19. Its memory is the machine's from 8 MiB on.
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { VirtioAttach, VirtioPmem } from "../../../assembly/abi/virtio.ts";
import { Driver, type DriverQueue, READY, type Transport, transports } from "./driver.ts";
import { Machine, RAM } from "./machine.ts";

const PAGE = 4096;
const BYTES = 4 << 20;
const FIRST = (8 << 20) / PAGE;
const BASE = RAM + FIRST * PAGE;

describe.each(transports)("virtio-pmem over $name", ({ attach }) => {
  let m: Machine;
  let t: Transport;
  let d: Driver;
  let q: DriverQueue;

  const create = (flags = 0) => {
    m = Machine.create();
    for (let i = 0; i < m.disk.length; i++) m.disk[i] = (i >> 12) + i;
    t = attach(m, { kind: DeviceKind.VIRTIO_PMEM, capacity: BYTES, flags });
    expect(m.call("virtioPmemSetPlace", t.index, FIRST)).toBe(1);
    d = new Driver(m, t);
    [q] = d.start([16], []);
  };
  beforeEach(() => create());

  /** A flush; what came back: the answer, or undefined while it is held. */
  const flush = (type: number = VirtioPmem.REQ_FLUSH) => {
    const request = d.place([type, 0, 0, 0]);
    const answer = d.place([0xee, 0xee, 0xee, 0xee]);
    q.add([
      { address: request, length: 4 },
      { address: answer, length: 4, write: true },
    ]);
    q.kick();
    return { answer, ended: q.take() !== undefined, ret: () => m.view.getUint32(m.at(answer), true) };
  };
  const writes = () => m.calls.filter(({ kind }) => kind === "write").map(({ offset, length }) => [offset, length]);
  /** Writes as a device does. */
  const store = (address: number, bytes: number[]) => {
    const at = m.call("dmaWrite", BigInt(address), bytes.length) >>> 0;
    expect(at).not.toBe(0);
    m.bytes.set(bytes, at);
  };

  it("says where its memory is", () => {
    const word = (offset: number) => t.config(offset, 4) + t.config(offset + 4, 4) * 2 ** 32;
    expect([word(VirtioPmem.CONFIG_START), word(VirtioPmem.CONFIG_SIZE_AT)]).toEqual([BASE, BYTES]);
  });

  it("has its place once, in memory, in whole chunks", () => {
    expect(m.call("virtioPmemSetPlace", t.index, FIRST)).toBe(0);
    expect(m.call("virtioPmemSetPlace", 31, FIRST)).toBe(0);
    const other = Machine.create();
    const u = attach(other, { kind: DeviceKind.VIRTIO_PMEM, capacity: BYTES });
    for (const page of [FIRST + 1, (13 << 20) / PAGE, 2 ** 31]) {
      expect(other.call("virtioPmemSetPlace", u.index, page)).toBe(0);
    }
  });

  it("brings contents in when they are first touched, 64 KiB at a time", () => {
    expect(m.calls).toEqual([]);
    const at = m.call("dmaRead", BigInt(BASE + 70_000), 8) >>> 0;
    expect(m.calls).toEqual([{ kind: "read", offset: 65536, length: 65536 }]);
    expect(m.bytes[at]).toBe(m.disk[70_000]);
    m.call("dmaRead", BigInt(BASE + 131_068), 8);
    m.call("dmaWrite", BigInt(BASE + 70_000), 8);
    expect(m.calls.map(({ offset }) => offset)).toEqual([65536, 131072]);
  });

  it("is no memory where its disk cannot be read", () => {
    m.diskAnswer = -5;
    expect(m.call("dmaRead", BigInt(BASE), 8)).toBe(0);
    expect(m.call("dmaWrite", BigInt(BASE), 8)).toBe(0);
    m.diskAnswer = 0;
    expect(m.call("dmaRead", BigInt(BASE), 8)).not.toBe(0);
  });

  it("a flush writes what was written, neighbours together, once", () => {
    store(BASE + 8191, [1, 2]);
    store(BASE + 5 * PAGE, [3]);
    expect(flush().ret()).toBe(VirtioPmem.RESP_OK);
    expect(writes()).toEqual([
      [PAGE, 2 * PAGE],
      [5 * PAGE, PAGE],
    ]);
    expect([...m.disk.subarray(8191, 8193), m.disk[5 * PAGE]]).toEqual([1, 2, 3]);
    expect(m.calls.at(-1)?.kind).toBe("flush");
    expect(flush().ret()).toBe(VirtioPmem.RESP_OK);
    expect(writes()).toHaveLength(2);
    store(BASE + 5 * PAGE, [4]);
    flush();
    expect(writes()).toHaveLength(3);
    expect(m.disk[5 * PAGE]).toBe(4);
  });

  it("keeps what the disk did not take for the next flush", () => {
    store(BASE, [9]);
    m.diskAnswer = -28;
    expect(flush().ret()).toBe(VirtioPmem.RESP_ERROR);
    m.diskAnswer = 0;
    expect(flush().ret()).toBe(VirtioPmem.RESP_OK);
    expect(m.disk[0]).toBe(9);
    expect(t.status()).toBe(READY);
  });

  it("answers a flush that takes longer when it has ended, and others meanwhile", () => {
    m.flushAnswer = 1;
    const first = flush();
    const second = flush();
    expect([first.ended, second.ended]).toEqual([false, false]);
    expect(m.flushes).toHaveLength(2);
    expect(m.call("diskDone", 7, m.flushes[1], 0)).toBe(1);
    expect(second.ret()).toBe(VirtioPmem.RESP_OK);
    expect(m.call("diskDone", 7, m.flushes[0], -5)).toBe(1);
    expect(first.ret()).toBe(VirtioPmem.RESP_ERROR);
    expect(q.takeAll()).toHaveLength(2);
    expect(m.call("diskDone", 7, m.flushes[0], 0)).toBe(0);
  });

  it("asks again after a restore, and forgets at a reset", () => {
    m.flushAnswer = 1;
    const { ret } = flush();
    const saved = m.state(t.index);
    m.restore(t.index, saved);
    expect(m.call("virtioValidate")).toBe(1);
    m.call("virtioResume");
    expect(m.call("diskDone", 7, m.flushes[0], 0)).toBe(0);
    expect(m.call("diskDone", 7, m.flushes[1], 0)).toBe(1);
    expect(ret()).toBe(VirtioPmem.RESP_OK);
    flush();
    t.setStatus(0);
    expect(m.call("diskDone", 7, m.flushes[2], 0)).toBe(0);
  });

  it("fails what it does not know, and breaks with a driver that leaves no room for an answer", () => {
    expect(flush(1).ret()).toBe(VirtioPmem.RESP_ERROR);
    q.add([{ address: d.place([0, 0, 0, 0]), length: 4 }]);
    q.kick();
    expect(t.status()).not.toBe(READY);
  });

  it("read-only: takes stores, and fails the flush of them", () => {
    create(VirtioAttach.READ_ONLY);
    expect(flush().ret()).toBe(VirtioPmem.RESP_OK);
    store(BASE, [1]);
    expect(flush().ret()).toBe(VirtioPmem.RESP_ERROR);
    expect(m.calls.filter(({ kind }) => kind !== "read")).toEqual([]);
  });

  it("refuses a state with a place that is not its own", () => {
    flush();
    const saved = m.state(t.index);
    for (const at of [0x500, 0x508, 0x540, 0x548, 0x780]) {
      m.restore(t.index, saved);
      const spoilt = m.state(t.index);
      spoilt[at + 1] ^= 0x55;
      m.restore(t.index, spoilt);
      expect(m.call("virtioValidate"), `offset 0x${at.toString(16)}`).toBe(0);
    }
    m.restore(t.index, saved);
    expect(m.call("virtioValidate")).toBe(1);
  });
});
