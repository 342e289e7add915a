// What both transports owe every driver: identification, negotiation, queue set-up,
// interrupts. virtio 1.2, chapters 2 to 4.
import { describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { Map as Board } from "../../../assembly/abi/memory-map.ts";
import {
  VirtioAttach,
  VirtioFeature,
  VirtioInterrupt,
  VirtioMagic,
  VirtioMmio,
  VirtioPciCap,
  VirtioPciCommon,
  VirtioStatus,
} from "../../../assembly/abi/virtio.ts";
import { attachMmio, attachPci, bit, Driver, READY, transports } from "./driver.ts";
import { Machine, RAM, RAM_BYTES } from "./machine.ts";

const rng = { kind: DeviceKind.VIRTIO_RNG };

describe.each(transports)("virtio over $name", ({ attach }) => {
  it("offers version 1, indirect descriptors, the event index and ring reset, and packed rings on request", () => {
    const features = [
      VirtioFeature.VERSION_1,
      VirtioFeature.INDIRECT_DESC,
      VirtioFeature.EVENT_IDX,
      VirtioFeature.RING_RESET,
    ].reduce((all, n) => all | bit(n), 0n);
    expect(attach(Machine.create(), rng).deviceFeatures()).toBe(features);
    const packed = attach(Machine.create(), { ...rng, flags: VirtioAttach.RING_PACKED });
    expect(packed.deviceFeatures()).toBe(features | bit(VirtioFeature.RING_PACKED));
  });

  it.each([
    ["a feature not on offer", bit(VirtioFeature.VERSION_1) | bit(5)],
    ["no version 1", bit(VirtioFeature.EVENT_IDX)],
  ])("refuses FEATURES_OK to a driver with %s", (_what, features) => {
    const t = attach(Machine.create(), rng);
    new Driver(t.machine, t).negotiate(features);
    expect(t.status() & VirtioStatus.FEATURES_OK).toBe(0);
    t.setStatus(READY & ~VirtioStatus.FEATURES_OK);
    expect(t.status() & VirtioStatus.DRIVER_OK).toBe(0);
  });

  it("keeps features once they are agreed, and status bits until a reset", () => {
    const t = attach(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    d.negotiate(bit(VirtioFeature.VERSION_1));
    t.askFeatures(0n);
    t.setStatus(VirtioStatus.DRIVER_OK);
    expect(t.status()).toBe(READY);
    t.setStatus(VirtioStatus.FAILED);
    expect(t.status()).toBe(READY | VirtioStatus.FAILED);
    t.setStatus(0);
    expect(t.status()).toBe(0);
  });

  it("has queues of the size it says, and none beyond", () => {
    const t = attach(Machine.create(), rng);
    t.selectQueue(0);
    expect(t.queueMax()).toBe(8);
    for (const queue of [1, 18, 255, 0xffff]) {
      t.selectQueue(queue);
      expect(t.queueMax()).toBe(0);
      t.enable();
      expect(t.enabled()).toBe(false);
    }
  });

  it.each([
    ["size 0", 0, 0, 0, 0],
    ["a size that is no power of two", 6, 0, 0, 0],
    ["a size above the maximum", 16, 0, 0, 0],
    ["descriptors misaligned", 8, 8, 0, 0],
    ["available ring misaligned", 8, 0, 1, 0],
    ["used ring misaligned", 8, 0, 0, 2],
    ["descriptors below RAM", 8, -0x1000_0000, 0, 0],
    ["available ring across the end of RAM", 8, 0, RAM_BYTES - 0x1000 - 8, 0],
    ["used ring at the end of the address space", 8, 0, 0, 2 ** 64 - RAM],
  ])("refuses to enable a queue with %s", (_what, size, desc, avail, used) => {
    const t = attach(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    d.negotiate(bit(VirtioFeature.VERSION_1));
    t.selectQueue(0);
    t.setQueueSize(size);
    t.setAddresses(RAM + 0x1000 + desc, RAM + 0x1000 + avail, RAM + 0x1000 + used);
    t.enable();
    expect(t.enabled()).toBe(false);
    expect(t.status() & VirtioStatus.DEVICE_NEEDS_RESET).not.toBe(0);
    expect(t.machine.call("virtioMisuses", t.index)).toBe(1);
    t.setStatus(0);
    d.start([8]);
    expect(t.status()).toBe(READY);
  });

  it("takes no change to a queue that is enabled", () => {
    const t = attach(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    const [q] = d.start([8]);
    t.selectQueue(0);
    t.setAddresses(0, 0, 0);
    t.setQueueSize(4);
    const buffer = d.allocate(16);
    q.add([{ address: buffer, length: 16, write: true }]);
    q.kick();
    expect(q.take()).toEqual({ head: 0, length: 16 });
  });

  it("raises its interrupt until it is acknowledged", () => {
    const t = attach(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    const [q] = d.start([8]);
    expect(t.machine.wire(t.irq)).toBe(false);
    q.add([{ address: d.allocate(16), length: 16, write: true }]);
    q.kick();
    expect(t.machine.wire(t.irq)).toBe(true);
    expect(t.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
    expect(t.machine.wire(t.irq)).toBe(false);
    expect(t.takeInterrupt()).toBe(0);
  });

  it("lowers its interrupt on reset", () => {
    const t = attach(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    const [q] = d.start([8]);
    q.add([{ address: d.allocate(16), length: 16, write: true }]);
    q.kick();
    t.setStatus(0);
    expect(t.machine.wire(t.irq)).toBe(false);
    expect(t.enabled()).toBe(false);
  });

  it("serves a kick that came before DRIVER_OK at DRIVER_OK, not earlier", () => {
    const t = attach(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    d.negotiate(bit(VirtioFeature.VERSION_1));
    const q = d.setUpQueue(0, 8);
    q.add([{ address: d.allocate(16), length: 16, write: true }]);
    q.kick();
    expect(q.take()).toBeUndefined();
    t.setStatus(READY);
    expect(q.take()).toEqual({ head: 0, length: 16 });
  });

  it("counts a notification of a queue that is not there, and does nothing", () => {
    const t = attach(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    d.negotiate(bit(VirtioFeature.VERSION_1));
    t.setStatus(READY);
    const before = t.machine.call("virtioStrays", t.index);
    t.notify(0);
    expect(t.machine.call("virtioStrays", t.index)).toBe(before + 1);
    expect(t.status()).toBe(READY);
    expect(t.machine.call("virtioPoll")).toBe(0);
  });
});

describe("virtio-mmio registers", () => {
  it("identify device and transport", () => {
    const t = attachMmio(Machine.create(), rng);
    expect(t.get(VirtioMmio.MAGIC_VALUE)).toBe(0x7472_6976);
    expect(t.get(VirtioMmio.VERSION)).toBe(2);
    expect(t.get(VirtioMmio.DEVICE_ID)).toBe(4);
    expect(t.get(VirtioMmio.VENDOR_ID)).toBe(VirtioMagic.VENDOR_ID);
    expect(t.get(VirtioMmio.SHM_LEN_LOW)).toBe(0xffff_ffff);
  });

  it("show an empty slot as device 0 that ignores everything", () => {
    const m = Machine.create();
    const before = m.state(5);
    const base = Board.VIRTIO + 5 * Board.VIRTIO_SLOT_SIZE;
    expect(m.read(base + VirtioMmio.MAGIC_VALUE, 4)).toBe(0x7472_6976);
    expect(m.read(base + VirtioMmio.VERSION, 4)).toBe(2);
    expect(m.read(base + VirtioMmio.DEVICE_ID, 4)).toBe(0);
    for (let offset = 0; offset < Board.VIRTIO_SLOT_SIZE; offset += 4) m.write(base + offset, 4, 0xffff_ffff);
    expect(m.state(5)).toEqual(before);
  });

  it("stop a queue when QUEUE_READY is cleared and start it afresh when set", () => {
    const t = attachMmio(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    const [q] = d.start([8]);
    t.selectQueue(0);
    t.set(VirtioMmio.QUEUE_READY, 0);
    q.add([{ address: d.allocate(16), length: 16, write: true }]);
    q.kick();
    expect(q.take()).toBeUndefined();
    t.enable();
    q.kick();
    expect(q.take()).toEqual({ head: 0, length: 16 });
  });

  it("are dwords", () => {
    const t = attachMmio(Machine.create(), rng);
    const base = Board.VIRTIO + 2 * Board.VIRTIO_SLOT_SIZE;
    for (const size of [1, 2, 8]) {
      expect(t.machine.read(base, size)).toBe(0);
      t.machine.write(base + VirtioMmio.STATUS, size, 1);
    }
    expect(t.status()).toBe(0);
  });

  it("refuse a second device in a slot, and devices that are not virtio's", () => {
    const m = Machine.create();
    attachMmio(m, rng);
    expect(m.call("attachVirtioMmio", 2, DeviceKind.VIRTIO_BLK, 0, 512, 0)).toBe(0);
    expect(m.call("attachVirtioMmio", 8, DeviceKind.VIRTIO_BLK, 0, 512, 0)).toBe(0);
    expect(m.call("attachVirtioMmio", 3, DeviceKind.NVME, 0, 512, 0)).toBe(0);
    expect(m.call("attachVirtioPci", 0, 8, DeviceKind.VIRTIO_RNG, 0, 0, 0)).toBe(0);
    expect(m.call("attachVirtioPci", 4, 7, DeviceKind.VIRTIO_RNG, 0, 0, 0)).toBe(0);
    expect(m.call("attachVirtioPci", 4, 32, DeviceKind.VIRTIO_RNG, 0, 0, 0)).toBe(0);
  });
});

describe("virtio-pci function", () => {
  it("identifies itself and says where its structures are", () => {
    const t = attachPci(Machine.create(), { kind: DeviceKind.VIRTIO_CONSOLE });
    expect(t.pci(0, 2)).toBe(0x1af4);
    expect(t.pci(2, 2)).toBe(0x1043);
    expect(t.pci(8, 1)).toBeGreaterThanOrEqual(1);
    const types = [
      VirtioPciCap.COMMON,
      VirtioPciCap.NOTIFY,
      VirtioPciCap.ISR,
      VirtioPciCap.DEVICE,
      VirtioPciCap.PCI_CFG,
    ];
    for (const type of types) expect(t.capabilities.has(type)).toBe(true);
    expect(t.multiplier).toBe(4);
    expect(t.get(VirtioPciCommon.NUM_QUEUES, 2)).toBe(18);
  });

  it("leaves the device structure out where there is no configuration space", () => {
    const t = attachPci(Machine.create(), rng);
    expect(t.capabilities.has(VirtioPciCap.DEVICE)).toBe(false);
  });

  it("keeps MSI-X vectors, and none beyond its table", () => {
    const t = attachPci(Machine.create(), rng);
    t.selectQueue(0);
    for (const register of [VirtioPciCommon.CONFIG_MSIX_VECTOR, VirtioPciCommon.QUEUE_MSIX_VECTOR]) {
      expect(t.get(register, 2)).toBe(0xffff);
      t.set(register, 2, 1);
      expect(t.get(register, 2)).toBe(1);
      t.set(register, 2, 2);
      expect(t.get(register, 2)).toBe(0xffff);
    }
    t.machine.write(t.bars[1] + 16, 4, 0x1234_5678);
    expect(t.machine.read(t.bars[1] + 16, 4)).toBe(0x1234_5678);
  });

  it("is reached through configuration space alone", () => {
    const t = attachPci(Machine.create(), rng);
    const { at } = t.capabilities.get(VirtioPciCap.PCI_CFG)!;
    const common = t.capabilities.get(VirtioPciCap.COMMON)!;
    t.setPci(at + 4, 1, common.bar);
    t.setPci(at + 8, 4, common.offset + VirtioPciCommon.DEVICE_STATUS);
    t.setPci(at + 12, 4, 1);
    t.setPci(at + 16, 1, 3);
    expect(t.status()).toBe(3);
    expect(t.pci(at + 16, 1)).toBe(3);
    t.setPci(at + 8, 4, 0xffff_fff0);
    t.setPci(at + 16, 1, 0xff);
    expect(t.status()).toBe(3);
  });

  it("touches no memory while bus mastering is off, and goes on when it is on", () => {
    const t = attachPci(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    const [q] = d.start([8]);
    t.setPci(4, 2, 0x2);
    q.add([{ address: d.allocate(16), length: 16, write: true }]);
    q.kick();
    expect(t.machine.call("virtioPoll")).toBe(0);
    expect(q.take()).toBeUndefined();
    t.setPci(4, 2, 0x6);
    t.machine.call("virtioPoll");
    expect(q.take()).toEqual({ head: 0, length: 16 });
  });

  it("keeps quiet on INTx while it is disabled", () => {
    const t = attachPci(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    const [q] = d.start([8]);
    t.setPci(4, 2, 0x406);
    q.add([{ address: d.allocate(16), length: 16, write: true }]);
    q.kick();
    expect(t.machine.wire(t.irq)).toBe(false);
    expect(t.pci(6, 2) & 8).toBe(8);
    t.setPci(4, 2, 0x6);
    expect(t.machine.wire(t.irq)).toBe(true);
  });

  it("takes queue_enable of 1 alone", () => {
    const t = attachPci(Machine.create(), rng);
    const d = new Driver(t.machine, t);
    const [q] = d.start([8]);
    t.selectQueue(0);
    t.set(VirtioPciCommon.QUEUE_ENABLE, 2, 0);
    expect(t.enabled()).toBe(true);
    q.add([{ address: d.allocate(16), length: 16, write: true }]);
    q.kick();
    expect(q.take()).toEqual({ head: 0, length: 16 });
  });
});
