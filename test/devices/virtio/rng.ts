// Entropy device. virtio 1.2, 5.4.
import { describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { Driver, forms, READY } from "./driver.ts";
import { Machine, RAM } from "./machine.ts";

describe.each(forms)("virtio-rng over $name", ({ attach }) => {
  it("fills buffers from the host's entropy", () => {
    const m = Machine.create();
    const d = new Driver(m, attach(m, { kind: DeviceKind.VIRTIO_RNG }));
    const [q] = d.start([8], []);
    const at = d.allocate(64);
    q.add([{ address: at, length: 64, write: true }]);
    q.kick();
    expect(q.take()).toEqual({ head: 0, length: 64 });
    expect(m.peek(at, 64).every((b) => b === 0xa5)).toBe(true);
    expect(m.entropyBytes).toBe(64);
  });

  it("fills a huge buffer in part", () => {
    const m = Machine.create();
    const d = new Driver(m, attach(m, { kind: DeviceKind.VIRTIO_RNG }));
    const [q] = d.start([8]);
    q.add([{ address: RAM + 0x10_0000, length: 8 << 20, write: true }]);
    q.kick();
    expect(q.take()).toEqual({ head: 0, length: 64 << 10 });
    expect(m.entropyBytes).toBe(64 << 10);
    expect(d.transport.status()).toBe(READY);
  });
});
