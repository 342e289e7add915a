// Interrupts as messages: with MSI-X a queue has a vector of its own, and so has a change
// of configuration (virtio 1.2, 4.1.5.1.2, 4.1.5.3 and 4.1.5.4). Vectors stay masked
// here, so that each shows as its pending bit.
import { describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { VirtioFeature, VirtioInterrupt, VirtioPciBar, VirtioPciCommon } from "../../../assembly/abi/virtio.ts";
import { attachPci, Driver, type PciTransport } from "./driver.ts";
import { Machine } from "./machine.ts";

const MSIX_CAPABILITY = 0x11;

function msixCapability(t: PciTransport): number {
  for (let at = t.pci(0x34, 1); at !== 0; at = t.pci(at + 1, 1)) if (t.pci(at, 1) === MSIX_CAPABILITY) return at;
  throw new Error("no MSI-X capability");
}

/** Pending bits, as the guest reads them. */
function pending(t: PciTransport): number {
  return t.machine.read(t.bars[VirtioPciBar.MSIX] + VirtioPciBar.MSIX_PBA, 8);
}

function start(kind: DeviceKind, queues: number, enable = true) {
  const m = Machine.create();
  const t = attachPci(m, { kind, capacity: 1 << 20 });
  const at = msixCapability(t);
  if (enable) t.setPci(at + 2, 2, t.pci(at + 2, 2) | 0x8000);
  const d = new Driver(m, t);
  const vectorOf = (queue: number) => queue + 1;
  const size = t.pci(at + 2, 2) & 0x7ff;
  d.negotiate(t.deviceFeatures() & ~(1n << BigInt(VirtioFeature.EVENT_IDX)));
  t.set(VirtioPciCommon.CONFIG_MSIX_VECTOR, 2, 0);
  for (let queue = 0; queue < queues; queue++) {
    d.setUpQueue(queue, 8);
    t.selectQueue(queue);
    t.set(VirtioPciCommon.QUEUE_MSIX_VECTOR, 2, vectorOf(queue));
  }
  t.setStatus(15);
  return { m, t, d, size };
}

describe("virtio-pci with MSI-X", () => {
  it.each([
    [DeviceKind.VIRTIO_RNG, 1],
    [DeviceKind.VIRTIO_BLK, 1],
    [DeviceKind.VIRTIO_CONSOLE, 18],
  ])("has a vector for each queue and one for the configuration (kind %d)", (kind, queues) => {
    const { t, size } = start(kind, queues);
    expect(size).toBe(queues); // the table's size less one
    for (let queue = 0; queue < queues; queue++) {
      t.selectQueue(queue);
      expect(t.get(VirtioPciCommon.QUEUE_MSIX_VECTOR, 2)).toBe(queue + 1);
    }
  });

  it("raises the vector of the queue, and no wire", () => {
    const { m, t, d } = start(DeviceKind.VIRTIO_CONSOLE, 18);
    for (const queue of [1, 5, 17]) {
      d.queues[queue].add([{ address: d.allocate(4), length: 4 }]);
      d.queues[queue].kick();
      m.call("virtioPoll");
      expect(pending(t) & (1 << (queue + 1))).not.toBe(0);
    }
    expect(pending(t)).toBe((1 << 2) | (1 << 6) | (1 << 18));
    expect(m.wire(t.irq)).toBe(false);
    expect(t.takeInterrupt()).toBe(0);
  });

  it("raises the configuration's vector, and says so in the status", () => {
    const { m, t } = start(DeviceKind.VIRTIO_BLK, 1);
    expect(m.call("virtioBlkResize", 7, 2 << 20)).toBe(1);
    expect(pending(t)).toBe(1);
    expect(m.wire(t.irq)).toBe(false);
    expect(t.takeInterrupt()).toBe(VirtioInterrupt.CONFIGURATION);
  });

  it("raises nothing for a queue without a vector, or where the driver asks for silence", () => {
    const { t, d } = start(DeviceKind.VIRTIO_RNG, 1);
    const use = () => {
      d.queues[0].add([{ address: d.allocate(4), length: 4, write: true }]);
      d.queues[0].kick();
    };
    d.queues[0].silence();
    use();
    expect(pending(t)).toBe(0);
    t.selectQueue(0);
    t.set(VirtioPciCommon.QUEUE_MSIX_VECTOR, 2, 0xffff);
    use();
    expect(pending(t)).toBe(0);
  });

  it("falls back to the wire while messages are off", () => {
    const { m, t, d } = start(DeviceKind.VIRTIO_RNG, 1, false);
    d.queues[0].add([{ address: d.allocate(4), length: 4, write: true }]);
    d.queues[0].kick();
    expect(pending(t)).toBe(0);
    expect(m.wire(t.irq)).toBe(true);
    expect(t.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
  });
});
