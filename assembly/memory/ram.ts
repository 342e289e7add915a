// Guest RAM as devices see it: guest physical addresses checked against RAM's bounds.
// Nothing else in the engine turns a guest physical address into a host one for DMA.
import { Gpa, Layout, Machine } from "../abi/layout";
import { bringIn, noteWrite } from "./backed";
import { dropCode, ROM_PAGES } from "./code-map";

/** Bytes of guest memory from Gpa.RAM on: RAM, and what devices put behind it. */
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
  const offset = gpa - <u64>(<u32>Gpa.RAM);
  return bringIn(offset, length) ? <usize>offset + <usize>Layout.RAM : 0;
}

/**
 * Host address of `length` bytes that a device may write, or 0 if any lies outside RAM.
 * Code predecoded from these pages is forgotten, so ask at the time of writing, not earlier.
 */
export function dmaWrite(gpa: u64, length: u32): usize {
  if (!inRam(gpa, length)) return 0;
  const offset = <usize>(gpa - <u64>(<u32>Gpa.RAM));
  if (!bringIn(offset, length)) return 0;
  noteWrite(offset, length);
  if (length != 0) {
    const last = <u32>((offset + length - 1) >>> 12) + ROM_PAGES;
    for (let page = <u32>(offset >>> 12) + ROM_PAGES; page <= last; page++) dropCode(page);
  }
  return offset + <usize>Layout.RAM;
}

/** Zeroes `length` bytes of memory at `gpa`, all there; pages that are zero already, which the host may not even have, are left alone. */
export function zeroMemory(gpa: u64, length: u32): void {
  for (let done: u32 = 0; done < length; ) {
    const at = gpa + done;
    const piece = min(length - done, 4096 - (<u32>at & 4095));
    const from = dmaRead(at, piece);
    if (from == 0) return;
    if (!isZero(from, piece)) memory.fill(dmaWrite(at, piece), 0, piece);
    done += piece;
  }
}

function isZero(at: usize, length: u32): bool {
  const end = at + length;
  for (; at + 8 <= end; at += 8) if (load<u64>(at) != 0) return false;
  for (; at < end; at++) if (load<u8>(at) != 0) return false;
  return true;
}

/** Pages from page `first` of memory on that are not all zeros: what a snapshot has to hold of them. */
export function pagesInUse(first: u32, count: u32): u32 {
  const all = load<u32>(<usize>Machine.RAM_SIZE);
  let used: u32 = 0;
  for (let page = min(first, all), end = page + min(count, all - page); page < end; page++) {
    if (!isZero(<usize>Layout.RAM + (<usize>page << 12), 4096)) used++;
  }
  return used;
}
