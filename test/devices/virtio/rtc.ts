// Real-time clock. virtio 1.4 draft.
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { Machine as At } from "../../../assembly/abi/layout.ts";
import { VirtioRtc } from "../../../assembly/abi/virtio.ts";
import { Driver, type DriverQueue, READY, type Transport, transports } from "./driver.ts";
import { Machine } from "./machine.ts";

const WALL = 1_700_000_000_123_456_789n;

describe.each(transports)("virtio-rtc over $name", ({ attach }) => {
  let m: Machine;
  let t: Transport;
  let d: Driver;
  let q: DriverQueue;

  beforeEach(() => {
    m = Machine.create();
    m.view.setBigUint64(At.WALL_BASE, WALL, true);
    t = attach(m, { kind: DeviceKind.VIRTIO_RTC });
    d = new Driver(m, t);
    [q] = d.start([16], []);
  });

  /** Status and what follows it, as far as it was written. */
  const ask = (type: number, clock = 0, length = 16, room = 16) => {
    const request = new DataView(new ArrayBuffer(16));
    request.setUint16(0, type, true);
    request.setUint16(8, clock, true);
    const answer = d.place(new Uint8Array(room).fill(0xee));
    q.add([
      { address: d.place(new Uint8Array(request.buffer)), length },
      { address: answer, length: room, write: true },
    ]);
    q.kick();
    const written = q.take()?.length ?? 0;
    return { status: m.peek(answer, 1)[0], written, value: m.view.getBigUint64(m.at(answer) + 8, true) };
  };

  it("has a clock of UTC that may be smeared and a monotonic one", () => {
    expect(ask(VirtioRtc.REQ_CFG, 0, 8)).toEqual({ status: VirtioRtc.S_OK, written: 16, value: 2n });
    expect(ask(VirtioRtc.REQ_CLOCK_CAP, 0).value).toBe(BigInt(VirtioRtc.CLOCK_UTC_MAYBE_SMEARED));
    expect(ask(VirtioRtc.REQ_CLOCK_CAP, 1).value).toBe(BigInt(VirtioRtc.CLOCK_MONOTONIC));
    expect(ask(VirtioRtc.REQ_CROSS_CAP, 0)).toMatchObject({ status: VirtioRtc.S_OK, value: 0n });
  });

  it("tells the time as it passes", () => {
    expect(ask(VirtioRtc.REQ_READ, 0).value).toBe(WALL);
    expect(ask(VirtioRtc.REQ_READ, 1).value).toBe(0n);
    m.ticks = 1234;
    expect(ask(VirtioRtc.REQ_READ, 0).value).toBe(WALL + 123_400n);
    expect(ask(VirtioRtc.REQ_READ, 1).value).toBe(123_400n);
  });

  it("refuses clocks it has not, requests it does not know, and short ones", () => {
    expect(ask(VirtioRtc.REQ_READ, 2)).toMatchObject({ status: VirtioRtc.S_ENODEV, written: 8 });
    expect(ask(VirtioRtc.REQ_CLOCK_CAP, 0xffff).status).toBe(VirtioRtc.S_ENODEV);
    for (const type of [VirtioRtc.REQ_READ_CROSS, VirtioRtc.REQ_SET_ALARM, 0, 0xffff]) {
      expect(ask(type).status).toBe(VirtioRtc.S_EOPNOTSUPP);
    }
    expect(ask(VirtioRtc.REQ_READ, 0, 9).status).toBe(VirtioRtc.S_EINVAL);
    expect(ask(VirtioRtc.REQ_READ, 0, 16, 15).status).toBe(VirtioRtc.S_EINVAL);
    expect(t.status()).toBe(READY);
    q.add([{ address: d.place(new Uint8Array(16)), length: 16 }]);
    q.kick();
    expect(t.status()).not.toBe(READY);
  });
});
