// What a hostile ring can do is stop its own device: shared by the tests of both forms of
// ring. The entropy device is behind the queue, being the simplest.
import { expect } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { VirtioFeature, VirtioInterrupt, VirtioStatus } from "../../../assembly/abi/virtio.ts";
import { type Buffer, Driver, type DriverQueue, READY, type Transport } from "./driver.ts";
import { Machine } from "./machine.ts";

export const SIZE = 8;

export class Bench<Q extends DriverQueue> {
  readonly m = Machine.create();
  readonly t: Transport;
  readonly d: Driver;
  q!: Q;

  constructor(attach: (m: Machine, a: { kind: DeviceKind }) => Transport, size = SIZE) {
    this.t = attach(this.m, { kind: DeviceKind.VIRTIO_RNG });
    this.d = new Driver(this.m, this.t);
    this.start([VirtioFeature.EVENT_IDX], size);
  }

  /** Starts the device afresh, with all features but `without`. */
  start(without: number[] = [VirtioFeature.EVENT_IDX], size = SIZE): void {
    this.t.setStatus(0);
    this.q = this.d.start([size], without)[0] as Q;
  }

  room(length = 16): Buffer {
    return { address: this.d.allocate(length), length, write: true };
  }

  /** After what the ring now holds: the device stopped, told the driver, wrote nothing anywhere, and works after a reset. */
  expectBroken(): void {
    const { m, t, q } = this;
    const before = m.entropyBytes;
    q.kick();
    expect(t.status()).toBe(READY | VirtioStatus.DEVICE_NEEDS_RESET);
    expect(q.take()).toBeUndefined();
    expect(t.takeInterrupt()).toBe(VirtioInterrupt.CONFIGURATION);
    expect(m.entropyBytes).toBe(before);
    expect(m.call("virtioMisuses", t.index)).toBe(1);
    q.kick();
    expect(m.call("virtioMisuses", t.index)).toBe(1);
    this.start();
    this.q.add([this.room()]);
    this.q.kick();
    expect(this.q.take()).toEqual({ head: 0, length: 16 });
  }
}
