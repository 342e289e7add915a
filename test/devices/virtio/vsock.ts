// Socket device: packets between the rings and the host.
import { describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { VirtioVsock } from "../../../assembly/abi/virtio.ts";
import { Driver, READY, type Transport, transports } from "./driver.ts";
import { Machine } from "./machine.ts";

describe.each(transports)("virtio-vsock over $name", ({ attach }) => {
  const start = () => {
    const m = Machine.create();
    const t: Transport = attach(m, { kind: DeviceKind.VIRTIO_VSOCK });
    m.call("vsockSetCid", t.index, 42);
    const d = new Driver(m, t);
    const [rx, tx, event] = d.start([8, 8, 8], []);
    return { m, t, d, rx, tx, event };
  };
  /** Gives the guest a packet, as the host does: what fits, or false without room. */
  const give = (m: Machine, t: Transport, bytes: Uint8Array) => {
    const at = m.call("vsockRoom", t.index) >>> 0;
    if (at === 0) return false;
    let done = 0;
    for (let i = 0; i < m.view.getUint32(at, true); i++) {
      const length = Math.min(m.view.getUint32(at + 12 + 8 * i, true), bytes.length - done);
      m.bytes.set(bytes.subarray(done, done + length), m.view.getUint32(at + 8 + 8 * i, true));
      done += length;
    }
    m.call("vsockGive", t.index, done);
    return true;
  };
  const packet = (length: number) => Uint8Array.from({ length }, (_, i) => i * 3);

  it("tells the guest's address", () => {
    const { t } = start();
    expect(t.config(VirtioVsock.CONFIG_GUEST_CID, 4)).toBe(42);
    expect(t.config(VirtioVsock.CONFIG_GUEST_CID + 4, 4)).toBe(0);
  });

  it("hands over packets however they are cut, and none without a whole header", () => {
    const { m, t, d, tx } = start();
    const bytes = packet(100);
    tx.add([
      { address: d.place(bytes.subarray(0, 44)), length: 44 },
      { address: d.place(bytes.subarray(44, 50)), length: 6 },
      { address: d.place(bytes.subarray(50)), length: 50 },
    ]);
    tx.add([{ address: d.place(bytes), length: 43 }]);
    tx.kick();
    expect(tx.takeAll().map(({ length }) => length)).toEqual([0, 0]);
    expect(m.vsockPackets).toEqual([bytes]);
    expect(t.status()).toBe(READY);
  });

  it("gives packets as there is room, and says when there is again", () => {
    const { m, t, d, rx } = start();
    expect(give(m, t, packet(44))).toBe(false);
    const into = d.allocate(128);
    rx.add([
      { address: into, length: 10, write: true },
      { address: into + 20, length: 100, write: true },
    ]);
    rx.kick();
    expect(m.vsockReadies).toBe(1);
    expect(give(m, t, packet(60))).toBe(true);
    expect(rx.take()).toEqual({ head: 0, length: 60 });
    expect([...m.peek(into, 10), ...m.peek(into + 20, 50)]).toEqual([...packet(60)]);
    expect(m.call("vsockUp", t.index)).toBe(1);
    expect(m.call("vsockUp", 5)).toBe(0);
  });

  it("takes a buffer without room for a header for what it is: a driver's mistake", () => {
    const { m, t, d, rx } = start();
    rx.add([{ address: d.allocate(43), length: 43, write: true }]);
    rx.kick();
    expect(give(m, t, packet(44))).toBe(false);
    expect(t.status()).not.toBe(READY);
    expect(m.call("vsockUp", t.index)).toBe(0);
  });

  it("tells the host of a driver that starts over, and the driver of a restore", () => {
    const { m, t, d, event } = start();
    const before = m.vsockResets;
    const address = d.allocate(8);
    m.fill(address, [9, 9, 9, 9]);
    event.add([{ address, length: 8, write: true }]);
    event.kick();
    m.call("virtioResume");
    expect(event.take()).toEqual({ head: 0, length: 4 });
    expect([...m.peek(address, 4)]).toEqual([0, 0, 0, 0]);
    // Without a buffer it waits for one.
    m.call("virtioResume");
    event.add([{ address, length: 8, write: true }]);
    event.kick();
    expect(event.take()?.length).toBe(4);
    expect(m.vsockResets).toBe(before);
    t.setStatus(0);
    expect(m.vsockResets).toBe(before + 1);
  });
});
