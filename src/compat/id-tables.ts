// The tables of ids in a Linux kernel's Image, which its buses match devices against
// (include/linux/mod_devicetable.h). Kernels before 6.18 tell of what is built in nowhere else.
//
//   of_device_id      name[32], type[32], compatible[128], data
//   pci_device_id     vendor, device, subvendor, subdevice, class, class_mask: u32 each, then what the driver likes
//   virtio_device_id  device, vendor: u32 each
//
// Structures lie at multiples of their alignment: 8, 8 and 4.
import { alignedView } from "./bytes.ts";
import type { HardwareId } from "./hardware-id.ts";

const OF_COMPATIBLE = 64;
const OF_COMPATIBLE_SIZE = 128;
const PCI_SIZE = 24;
const ANY = 0xffff_ffff;
/** Highest number of a virtio device that there will be for a long time. */
const MOST_VIRTIO = 64;

const encoder = new TextEncoder();

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** Whether an of_device_id with `compatible` has it at `at`. */
function isOfEntry(bytes: Uint8Array, at: number, compatible: Uint8Array): boolean {
  if (at < OF_COMPATIBLE || at + OF_COMPATIBLE_SIZE > bytes.length) return false;
  for (let i = 0; i < compatible.length; i++) if (bytes[at + i] !== compatible[i]) return false;
  return isZero(bytes, at + compatible.length, at + OF_COMPATIBLE_SIZE) && isZero(bytes, at - OF_COMPATIBLE, at);
}

const key = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);

/** Those of `ids` that a table in `image` has. Ids of other kinds than the device tree's, PCI's and virtio's never are. */
export function idsInTables(image: Uint8Array, ids: readonly HardwareId[]): Set<HardwareId> {
  const bytes = alignedView(image);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const found = new Set<HardwareId>();

  const byText = new Map<number, { id: HardwareId; compatible: Uint8Array }[]>();
  const byVendor = new Map<number, HardwareId[]>();
  const byVirtio = new Map<number, HardwareId>();
  for (const id of ids) {
    if (id.bus === "of") {
      const compatible = encoder.encode(`${id.compatible}\0\0\0`).slice(0, Math.max(4, id.compatible.length + 1));
      const first = key(compatible);
      byText.set(first, [...(byText.get(first) ?? []), { id, compatible }]);
    } else if (id.bus === "pci") byVendor.set(id.vendor, [...(byVendor.get(id.vendor) ?? []), id]);
    else if (id.bus === "pci-class") byVendor.set(ANY, [...(byVendor.get(ANY) ?? []), id]);
    else if (id.bus === "virtio") byVirtio.set(id.device, id);
  }

  const isPciEntry = (at: number, id: HardwareId): boolean => {
    if ((at + PCI_SIZE / 4) * 4 > bytes.length || words[at + 2] !== ANY || words[at + 3] !== ANY) return false;
    const [device, itsClass, mask] = [words[at + 1], words[at + 4], words[at + 5]];
    if (id.bus === "pci") return (device === id.device || device === ANY) && mask === 0;
    return id.bus === "pci-class" && device === ANY && mask !== 0 && ((itsClass ^ id.class) & mask) === 0;
  };

  const isVirtioEntry = (at: number): boolean => {
    if (at + 4 > words.length || words[at + 1] !== ANY) return false;
    const [nextDevice, nextVendor] = [words[at + 2], words[at + 3]];
    return nextVendor === 0 ? nextDevice === 0 : nextVendor === ANY && nextDevice <= MOST_VIRTIO;
  };

  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (word === 0) continue;
    if (word <= MOST_VIRTIO) {
      const id = byVirtio.get(word);
      if (id !== undefined && isVirtioEntry(at)) found.add(id);
    }
    if (at % 2 !== 0) continue;
    for (const id of byVendor.get(word) ?? []) if (isPciEntry(at, id)) found.add(id);
    for (const { id, compatible } of byText.get(word) ?? []) {
      if (isOfEntry(bytes, at * 4, compatible)) found.add(id);
    }
  }
  return found;
}
