// What options of virtio disks come to, and what is refused before anything runs.
import { describe, expect, it } from "vitest";
import { VirtioAttach } from "../../assembly/abi/virtio.ts";
import { memoryDisk } from "../../src/backend/memory-disk.ts";
import { Disks } from "../../src/guest/disks.ts";
import { checkDisks } from "../../src/guest/machine.ts";
import { checkNoVirtioOptions, checkRing, virtioDisk } from "../../src/guest/virtio-disk.ts";

const defaults = { harts: 2, ring: "split", transport: "pci" } as const;

describe("a virtio disk", () => {
  it("has a queue a hart, the guest's rings and transport, and no indirect descriptors, unless told otherwise", () => {
    expect(virtioDisk({}, "d", defaults)).toEqual({
      transport: "pci",
      flags: (2 << VirtioAttach.QUEUES_SHIFT) | VirtioAttach.NO_INDIRECT,
    });
    const all = { transport: "mmio", queues: 16, ring: "packed", indirect: true, notificationData: true } as const;
    expect(virtioDisk(all, "d", defaults)).toEqual({
      transport: "mmio",
      flags: (16 << VirtioAttach.QUEUES_SHIFT) | VirtioAttach.RING_PACKED | VirtioAttach.NOTIFICATION_DATA,
    });
  });

  it.each([
    [{ queues: 0 }, /cannot have 0 queues: write a whole number from 1 to 16/],
    [{ queues: 17 }, /17 queues/],
    [{ queues: 1.5 }, /1.5 queues/],
    [{ ring: "round" as "split" }, /"round" is no kind of ring/],
    [{ transport: "usb" as "pci" }, /"usb" is no transport: write pci or mmio/],
  ])("refuses %o", (options, message) => {
    expect(() => virtioDisk(options, "d", defaults)).toThrow(message);
  });

  it("alone has such options", () => {
    expect(() => checkNoVirtioOptions({ if: "nvme", queues: 2 }, "d")).toThrow(/queues is for virtio disks/);
    expect(() => checkNoVirtioOptions({ if: "nvme" }, "d")).not.toThrow();
    expect(() => checkRing("", "ring")).toThrow(/no kind of ring/);
  });

  it("finds a place while there are some", () => {
    const backend = memoryDisk(512);
    const disk = (transport: "mmio" | "pci") => ({
      backend,
      device: "virtio" as const,
      virtio: { transport, flags: 0 },
    });
    const many = (n: number, transport: "mmio" | "pci") => Array.from({ length: n }, () => disk(transport));
    expect(() => checkDisks([...many(7, "mmio"), ...many(22, "pci")])).not.toThrow();
    expect(() => checkDisks(many(8, "mmio"))).toThrow(/more than 7 virtio disks over mmio.*transport=pci/);
  });
});

describe("resizing", () => {
  const events = { notice: () => {}, done: () => {} };

  it("asks the backend, with sizes that a disk can have", () => {
    const backend = memoryDisk(1024);
    const disks = new Disks([backend], false, events);
    disks.resize(0, 2048);
    expect(backend.size).toBe(2048);
    for (const bytes of [0, 511, 1000, -512, Number.NaN])
      expect(() => disks.resize(0, bytes)).toThrow(/multiple of 512/);
    expect(() => disks.resize(0, 2 ** 52)).toThrow(/no memory for it/);
    expect(backend.size).toBe(2048);
  });

  it("leaves alone what is read-only or cannot", () => {
    expect(() => new Disks([memoryDisk(1024, { readOnly: true })], false, events).resize(0, 512)).toThrow(/read-only/);
    const { resize: _, ...fixed } = memoryDisk(1024);
    expect(() => new Disks([fixed], false, events).resize(0, 512)).toThrow(/without resize/);
  });
});
