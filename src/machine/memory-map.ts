// What lies where in guest memory from the beginning of RAM on: RAM, then the region of a
// memory device, then the memory of persistent memory devices. All of it is one piece of
// linear memory, of which the device tree tells the guest the RAM alone.
import { Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";
import { OptionError } from "../errors.ts";
import { MEMORY_MOST, MIB } from "./memory-size.ts";

/** Linux adds memory in sections of this size, and plugs none of a section that begins before the region. */
const SECTION = 128 * MIB;
/** Linux has memory of devices in pieces of this size; a memory device's blocks are as large. */
export const MEMORY_BLOCK = 2 * MIB;

/** A piece of guest memory, in bytes from the beginning of RAM. */
export interface MemoryRegion {
  start: number;
  bytes: number;
}

export interface MemoryLayout {
  /** What the device tree tells the guest of. */
  ramBytes: number;
  /** All of it, gaps included. */
  totalBytes: number;
  hotplug: MemoryRegion | undefined;
  pmem: MemoryRegion[];
}

const alignUp = (n: number, to: number) => Math.ceil(n / to) * to;

/**
 * Places regions behind RAM. Sizes are bytes; hotplug 0 means none.
 * @throws OptionError if a size is no multiple of 2 MiB, or all together are more than the machine can have.
 */
export function layOutMemory(
  ramBytes: number,
  hotplugBytes: number,
  pmem: readonly { name: string; bytes: number }[],
): MemoryLayout {
  if (hotplugBytes % MEMORY_BLOCK !== 0 || hotplugBytes < 0) {
    throw new OptionError(`hotplug memory of ${hotplugBytes} bytes is not a whole number of 2 MiB blocks: round it`);
  }
  for (const { name, bytes } of pmem) {
    if (bytes % MEMORY_BLOCK === 0 && bytes > 0) continue;
    const rounded = Math.max(1, Math.ceil(bytes / MEMORY_BLOCK)) * 2;
    throw new OptionError(
      `pmem ${name} has ${bytes} bytes, no whole number of 2 MiB: make it larger, for example with \`truncate -s ${rounded}M ${name}\``,
    );
  }
  let end = ramBytes;
  const place = (bytes: number, align: number): MemoryRegion => {
    const start = alignUp(PhysicalMap.RAM + end, align) - PhysicalMap.RAM;
    end = start + bytes;
    return { start, bytes };
  };
  const hotplug = hotplugBytes > 0 ? place(hotplugBytes, SECTION) : undefined;
  const regions = pmem.map(({ bytes }) => place(bytes, MEMORY_BLOCK));
  if (end > MEMORY_MOST) {
    const parts = [`${ramBytes / MIB}M of RAM`];
    if (hotplug) parts.push(`${hotplug.bytes / MIB}M to plug`);
    for (const [i, { bytes }] of regions.entries()) parts.push(`${bytes / MIB}M of pmem ${pmem[i].name}`);
    throw new OptionError(
      `${parts.join(", ")} come to ${Math.ceil(end / MIB)}M of guest memory: the machine can have at most ${MEMORY_MOST / MIB}M together`,
    );
  }
  return { ramBytes, totalBytes: end, hotplug, pmem: regions };
}
