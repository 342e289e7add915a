// Places for devices: each is given once, and what finds none is refused before the guest runs.
import { expect, it } from "vitest";
import { Places } from "../../src/guest/places.ts";
import { createGuest, memoryDisk } from "../../src/index.ts";
import { program, systemReset } from "./instructions.ts";

function all(take: () => number): number[] {
  const taken: number[] = [];
  for (;;) {
    try {
      taken.push(take());
    } catch {
      return taken;
    }
  }
}

it("hands out every place once", () => {
  const places = new Places();
  expect(all(() => places.mmioSlot())).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(all(() => places.pciSlot())).toEqual(Array.from({ length: 24 }, (_, i) => 7 + i));
  expect(all(() => places.instance())).toEqual(Array.from({ length: 22 }, (_, i) => 9 + i));
});

it("says what is too many, and closes what was opened", async () => {
  let closed = 0;
  const disks = Array.from({ length: 23 }, () => ({
    backend: { ...memoryDisk(512), close: () => closed++ },
    transport: "pci" as const,
  }));
  const options = { kernel: program(...systemReset(0)), memory: "16M", disks };
  await expect(createGuest(options)).rejects.toThrow(/more than 22 virtio devices on the PCI bus beside the console/);
  expect(closed).toBe(23);
});
