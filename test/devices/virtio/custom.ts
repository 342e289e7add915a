// A virtio device that the host defines: requests answered at once and later, room filled, and
// definitions that cannot be.
import { describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { Layout, Machine as MachineAt } from "../../../assembly/abi/layout.ts";
import { Driver, READY, type Transport, transports } from "./driver.ts";
import { customImage, Machine } from "./machine.ts";

const kind = DeviceKind.VIRTIO_CUSTOM;

describe.each(transports)("virtio-custom over $name", ({ attach }) => {
  const start = () => {
    const m = Machine.create();
    const t: Transport = attach(m, { kind });
    const d = new Driver(m, t);
    const [input, requests] = d.start([8, 64], []);
    return { m, t, d, input, requests };
  };
  /** Puts host bytes where the engine takes them from. */
  const staged = (m: Machine, bytes: ArrayLike<number>) => {
    m.bytes.set(bytes, Layout.STAGING);
    return Layout.STAGING;
  };

  it("has the identifier, features and configuration that the host says", () => {
    const { m, t } = start();
    expect(t.deviceFeatures() & 0xff_ffffn).toBe(0b101n);
    expect([0, 1, 7].map((offset) => t.config(offset, 1))).toEqual([1, 2, 8]);
    expect(t.config(8, 1)).toBe(0);
    t.setConfig(4, 2, 0xbeef);
    expect([t.config(4, 2), m.customConfigs]).toEqual([0xbeef, ["4+2"]]);
    const before = t.generation();
    expect(m.call("virtioCustomSetConfig", t.index, 6, staged(m, [9, 9]), 2, 1)).toBe(1);
    expect([t.config(6, 2), t.generation() - before, t.takeInterrupt() & 2]).toEqual([0x0909, 1, 2]);
    expect(m.call("virtioCustomSetConfig", t.index, 6, Layout.STAGING, 3, 1)).toBe(0);
    expect(m.call("virtioCustomSetConfig", t.index, 0xffff_ffff, Layout.STAGING, 2, 1)).toBe(0);
  });

  it("hands over requests and takes answers, however both are cut", () => {
    const { m, d, requests } = start();
    m.customReply = Uint8Array.from({ length: 20 }, (_, i) => i + 1);
    const into = [d.allocate(3), d.allocate(64)];
    requests.add([
      { address: d.place([1, 2]), length: 2 },
      { address: d.place([3]), length: 1 },
      { address: into[0], length: 3, write: true },
      { address: into[1], length: 64, write: true },
    ]);
    requests.kick();
    expect(requests.take()).toEqual({ head: 0, length: 20 });
    expect(m.customRequests).toEqual([{ queue: 1, bytes: Uint8Array.from([1, 2, 3]) }]);
    expect([...m.peek(into[0], 3), ...m.peek(into[1], 17)]).toEqual([...m.customReply]);
    expect(m.outside).toEqual([]);
  });

  it("takes answers later, in any order, and each once", () => {
    const { m, t, d, requests } = start();
    m.customAnswers = "later";
    const into = [d.allocate(16), d.allocate(16)];
    for (const address of into) requests.add([{ address, length: 16, write: true }]);
    requests.kick();
    expect(requests.takeAll()).toEqual([]);
    const [first, second] = m.customTags;
    expect(m.call("customRequestDone", second, staged(m, [7, 8]), 2)).toBe(1);
    expect(requests.takeAll().map(({ length }) => length)).toEqual([2]);
    expect([...m.peek(into[1], 2)]).toEqual([7, 8]);
    expect(t.takeInterrupt() & 1).toBe(1);
    for (const tag of [second, first ^ 0x1_0000, (first & ~0xff) | 200, 0xffff_ffff]) {
      expect(m.call("customRequestDone", tag, Layout.STAGING, 2)).toBe(0);
    }
    expect(m.call("customRequestDone", first, Layout.STAGING, 4000)).toBe(1);
    expect(requests.takeAll().map(({ length }) => length)).toEqual([16]);
  });

  it("holds so many, and goes on when one is answered", () => {
    const { m, d, requests } = start();
    m.customAnswers = "later";
    for (let i = 0; i < 40; i++) requests.add([{ address: d.allocate(8), length: 8, write: true }]);
    requests.kick();
    expect(m.customTags).toHaveLength(32);
    expect(m.call("virtioPoll")).toBe(0);
    expect(m.call("customRequestDone", m.customTags[5], Layout.STAGING, 1)).toBe(1);
    expect(m.customTags).toHaveLength(33);
  });

  it("knows no answer of before a reset, nor after a restore", () => {
    const { m, t, d, requests } = start();
    m.customAnswers = "later";
    requests.add([{ address: d.allocate(8), length: 8, write: true }]);
    requests.kick();
    const resets = m.customResets;
    const saved = m.state(t.index);
    t.setStatus(0);
    expect(m.customResets).toBe(resets + 1);
    expect(m.call("customRequestDone", m.customTags[0], Layout.STAGING, 1)).toBe(0);
    m.restore(t.index, saved);
    expect(m.call("virtioValidate")).toBe(1);
    m.call("virtioResume");
    expect(requests.takeAll().map(({ length }) => length)).toEqual([0]);
    expect(m.call("customRequestDone", m.customTags[0], Layout.STAGING, 1)).toBe(0);
  });

  it("fills room as there is some, and says when there is again", () => {
    const { m, t, d, input } = start();
    const give = (...bytes: number[]) => m.call("virtioCustomGive", t.index, 0, staged(m, bytes), bytes.length);
    expect(give(1)).toBe(-1);
    const into = d.allocate(2);
    input.add([{ address: into, length: 2, write: true }]);
    input.kick();
    expect(m.customRooms).toEqual([0]);
    expect(give(5, 6, 7)).toBe(2);
    expect(input.take()).toEqual({ head: 0, length: 2 });
    expect([...m.peek(into, 2)]).toEqual([5, 6]);
    expect(give(1)).toBe(-1);
    // Of requests, of queues that are not there, of other devices: none.
    expect(m.call("virtioCustomGive", t.index, 1, Layout.STAGING, 1)).toBe(-1);
    expect(m.call("virtioCustomGive", t.index, 2, Layout.STAGING, 1)).toBe(-1);
    expect(m.call("virtioCustomGive", 31, 0, Layout.STAGING, 1)).toBe(-1);
    expect(t.status()).toBe(READY);
  });

  it.each([
    { id: 0 },
    { id: 64 },
    { queues: 0 },
    { queues: 17 },
    { queueSize: 0 },
    { queueSize: 48 },
    { queueSize: 512 },
    { configSize: 65 },
    { inputs: 4 },
  ])("is no device if the host says %o", (change) => {
    const m = Machine.create();
    m.bytes.set(customImage(change), MachineAt.SCRATCH);
    const t = attach(m, { kind });
    t.selectQueue(0);
    expect(t.queueMax()).toBe(0);
    expect(m.call("virtioValidate")).toBe(0);
  });
});
