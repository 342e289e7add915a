// Guest RAM as devices see it: guest physical addresses checked against RAM's bounds.
// Nothing else in the engine turns a guest physical address into a host one for DMA.
import { Gpa, Layout, Machine } from "../abi/layout";
import { dropCode, ROM_PAGES } from "./code-map";

/** Bytes of guest RAM. */
export function ramSize(): u64 {
  return (<u64>load<u32>(<usize>Machine.RAM_SIZE)) << 12;
}

/** True if `length` bytes at guest physical `gpa` all lie in RAM. */
// @ts-ignore: decorator
@inline
export function inRam(gpa: u64, length: u64): bool {
  const offset = gpa - <u64>(<u32>Gpa.RAM);
  const size = ramSize();
  return offset < size && length <= size - offset;
}

/** Host address of `length` bytes that a device may read, or 0 if any lies outside RAM. */
export function dmaRead(gpa: u64, length: u32): usize {
  if (!inRam(gpa, length)) return 0;
  return <usize>(gpa - <u64>(<u32>Gpa.RAM)) + <usize>Layout.RAM;
}

/**
 * Host address of `length` bytes that a device may write, or 0 if any lies outside RAM.
 * Code predecoded from these pages is forgotten, so ask at the time of writing, not earlier.
 */
export function dmaWrite(gpa: u64, length: u32): usize {
  if (!inRam(gpa, length)) return 0;
  const offset = <usize>(gpa - <u64>(<u32>Gpa.RAM));
  if (length != 0) {
    const last = <u32>((offset + length - 1) >>> 12) + ROM_PAGES;
    for (let page = <u32>(offset >>> 12) + ROM_PAGES; page <= last; page++) dropCode(page);
  }
  return offset + <usize>Layout.RAM;
}
