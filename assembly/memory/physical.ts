// Physical pages as the hart sees them: RAM and boot ROM have host addresses, anything
// else is a device's.
import { Gpa, Layout } from "../abi/layout";
import { Map } from "../abi/memory-map";
import { bringIn } from "./backed";
import { ROM_PAGES } from "./code-map";
import { inRam } from "./ram";

/** The boot ROM's contents. */
export const BOOT_ROM: usize = <usize>Layout.STAGING_END - <usize>Map.MROM_SIZE - 0x1000;

/** Host address of the page at physical `pa` (page-aligned), or 0 if no memory is there or what belongs in it cannot be had. */
export function hostPage(pa: u64): usize {
  if (inRam(pa, 4096)) {
    const offset = pa - <u64>(<u32>Gpa.RAM);
    return bringIn(offset, 4096) ? <usize>offset + <usize>Layout.RAM : 0;
  }
  if (isRom(pa)) return BOOT_ROM + <usize>(pa - <u64>(<u32>Map.MROM));
  return 0;
}

// @ts-ignore: decorator
@inline
export function isRom(pa: u64): bool {
  return pa - <u64>(<u32>Map.MROM) < <u64>(<u32>Map.MROM_SIZE);
}

/** Index in the code map of the page at `pa`, which must be memory. */
export function pageIndex(pa: u64): u32 {
  return isRom(pa) ? <u32>((pa - <u64>(<u32>Map.MROM)) >> 12) : <u32>((pa - <u64>(<u32>Gpa.RAM)) >> 12) + ROM_PAGES;
}

/** Host address of the page with this index. */
export function hostOfIndex(index: u32): usize {
  return index < ROM_PAGES ? BOOT_ROM + ((<usize>index) << 12) : <usize>Layout.RAM + ((<usize>(index - ROM_PAGES)) << 12);
}
