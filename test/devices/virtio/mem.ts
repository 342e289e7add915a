// Memory device. virtio 1.2, 5.15. Its region is the machine's memory from 8 MiB on: three blocks.
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { VirtioInterrupt, VirtioMem } from "../../../assembly/abi/virtio.ts";
import { Driver, type DriverQueue, READY, type Transport, transports } from "./driver.ts";
import { Machine, RAM } from "./machine.ts";

const BLOCK = VirtioMem.BLOCK_BYTES;
const FIRST = (8 << 20) / 4096;
const BASE = RAM + (8 << 20);
const BLOCKS = 3;

describe.each(transports)("virtio-mem over $name", ({ attach }) => {
  let m: Machine;
  let t: Transport;
  let d: Driver;
  let q: DriverQueue;

  beforeEach(() => {
    m = Machine.create();
    t = attach(m, { kind: DeviceKind.VIRTIO_MEM, capacity: BLOCKS * BLOCK });
    expect(m.call("virtioMemSetPlace", t.index, FIRST)).toBe(1);
    d = new Driver(m, t);
    [q] = d.start([16], []);
  });

  const ask = (type: number, addr = 0, blocks = 0) => {
    const request = new DataView(new ArrayBuffer(VirtioMem.REQ_BYTES));
    request.setUint16(0, type, true);
    request.setBigUint64(8, BigInt(addr), true);
    request.setUint16(16, blocks, true);
    const answer = d.allocate(VirtioMem.RESP_BYTES);
    q.add([
      { address: d.place(new Uint8Array(request.buffer)), length: VirtioMem.REQ_BYTES },
      { address: answer, length: VirtioMem.RESP_BYTES, write: true },
    ]);
    q.kick();
    expect(q.take()?.length).toBe(VirtioMem.RESP_BYTES);
    return [m.view.getUint16(m.at(answer), true), m.view.getUint16(m.at(answer) + 8, true)];
  };
  const config = (offset: number) => t.config(offset, 4) + t.config(offset + 4, 4) * 2 ** 32;
  const want = (bytes: number) => m.call("virtioMemSetRequested", t.index, bytes);

  it("describes its region, and what the host wants", () => {
    expect(config(VirtioMem.CONFIG_ADDR)).toBe(BASE);
    expect(config(VirtioMem.CONFIG_REGION_SIZE)).toBe(BLOCKS * BLOCK);
    expect(config(VirtioMem.CONFIG_USABLE_REGION_SIZE)).toBe(BLOCKS * BLOCK);
    expect(config(VirtioMem.CONFIG_BLOCK_SIZE)).toBe(BLOCK);
    want(2 * BLOCK + 5);
    expect(t.takeInterrupt()).toBe(VirtioInterrupt.CONFIGURATION);
    expect(config(VirtioMem.CONFIG_REQUESTED_SIZE)).toBe(2 * BLOCK);
    want(1e12);
    expect(config(VirtioMem.CONFIG_REQUESTED_SIZE)).toBe(BLOCKS * BLOCK);
    want(-1);
    expect(config(VirtioMem.CONFIG_REQUESTED_SIZE)).toBe(0);
  });

  it("plugs up to what the host wants, unplugs, and tells", () => {
    expect(ask(VirtioMem.REQ_PLUG, BASE, 1)[0]).toBe(VirtioMem.RESP_NACK);
    want(2 * BLOCK);
    expect(ask(VirtioMem.REQ_PLUG, BASE, 3)[0]).toBe(VirtioMem.RESP_NACK);
    expect(ask(VirtioMem.REQ_PLUG, BASE, 2)[0]).toBe(VirtioMem.RESP_ACK);
    expect(config(VirtioMem.CONFIG_PLUGGED_SIZE)).toBe(2 * BLOCK);
    expect(m.call("virtioMemPlugged", t.index)).toBe(2 * BLOCK);
    expect(ask(VirtioMem.REQ_STATE, BASE, 2)).toEqual([VirtioMem.RESP_ACK, VirtioMem.STATE_PLUGGED]);
    expect(ask(VirtioMem.REQ_STATE, BASE, 3)).toEqual([VirtioMem.RESP_ACK, VirtioMem.STATE_MIXED]);
    expect(ask(VirtioMem.REQ_STATE, BASE + 2 * BLOCK, 1)).toEqual([VirtioMem.RESP_ACK, VirtioMem.STATE_UNPLUGGED]);
    expect(ask(VirtioMem.REQ_PLUG, BASE, 1)[0]).toBe(VirtioMem.RESP_ERROR);
    expect(ask(VirtioMem.REQ_UNPLUG, BASE + BLOCK, 2)[0]).toBe(VirtioMem.RESP_ERROR);
    m.fill(BASE + BLOCK, [1, 2, 3]);
    m.fill(BASE, [4]);
    expect(ask(VirtioMem.REQ_UNPLUG, BASE + BLOCK, 1)[0]).toBe(VirtioMem.RESP_ACK);
    expect([...m.peek(BASE + BLOCK, 3), m.peek(BASE, 1)[0]]).toEqual([0, 0, 0, 4]);
    expect(ask(VirtioMem.REQ_UNPLUG_ALL)[0]).toBe(VirtioMem.RESP_ACK);
    expect(config(VirtioMem.CONFIG_PLUGGED_SIZE)).toBe(0);
    expect(m.peek(BASE, 1)[0]).toBe(0);
  });

  it("refuses ranges that are not whole blocks of the region", () => {
    want(BLOCKS * BLOCK);
    const ranges: [number, number][] = [
      [BASE, 0],
      [BASE + 1, 1],
      [BASE - BLOCK, 1],
      [BASE, BLOCKS + 1],
      [BASE + BLOCKS * BLOCK, 1],
      [0, 1],
      [BASE, 0xffff],
      [2 ** 52, 1],
    ];
    for (const type of [VirtioMem.REQ_PLUG, VirtioMem.REQ_UNPLUG, VirtioMem.REQ_STATE]) {
      for (const [addr, blocks] of ranges) expect(ask(type, addr, blocks)[0]).toBe(VirtioMem.RESP_ERROR);
    }
    expect(ask(9, BASE, 1)[0]).toBe(VirtioMem.RESP_ERROR);
    expect(t.status()).toBe(READY);
  });

  it("keeps its blocks through a reset of the device, and a restore", () => {
    want(BLOCK);
    ask(VirtioMem.REQ_PLUG, BASE, 1);
    const saved = m.state(t.index);
    t.setStatus(0);
    expect(config(VirtioMem.CONFIG_PLUGGED_SIZE)).toBe(BLOCK);
    m.restore(t.index, saved);
    expect(m.call("virtioValidate")).toBe(1);
    for (const at of [0x510, 0x528, 0x540, 0x544, 0x580]) {
      m.restore(t.index, saved);
      const spoilt = m.state(t.index);
      spoilt[at] ^= 0x7e;
      m.restore(t.index, spoilt);
      expect(m.call("virtioValidate"), `offset 0x${at.toString(16)}`).toBe(0);
    }
  });
});
