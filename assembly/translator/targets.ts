// Where indirect jumps were seen to go. A region that has such a jump leaves by it at first;
// the targets are noted, and once there were enough of them the region is translated anew
// with a comparison for each.
import { TARGETS, TARGETS_SIZE } from "./buffers";

// A site: u32 place of the jump (insn.ts), u32 unused, u32 times seen, u32 targets known, then 16 i64 distances of targets from it.
const SITE_SIZE: usize = 144;
const SITES: u32 = <u32>(TARGETS_SIZE / SITE_SIZE);
const MOST_TARGETS: u32 = 16;
/** Jumps that are noted before regions with them are translated anew. */
const ENOUGH_JUMPS: u32 = 64;

export function resetTargets(): void {
  memory.fill(TARGETS, 0, TARGETS_SIZE);
}

// @ts-ignore: decorator
@inline
function siteFor(place: u32): usize {
  return TARGETS + <usize>(((place >> 1) * 0x9e37_79b1) >> 16) % SITES * SITE_SIZE;
}

/** The site of the jump at `place`, or 0 if nothing was noted of it. */
export function seenJump(place: u32): usize {
  const site = siteFor(place);
  return load<u32>(site) == place ? site : 0;
}

export function observedCount(site: usize): u32 {
  return site == 0 ? 0 : load<u32>(site, 12);
}

export function observedDistance(site: usize, n: u32): u64 {
  return load<u64>(site + 16 + ((<usize>n) << 3));
}

/**
 * Is enough known of the jump at `place`? A jump whose site another one has stays unknown, and is
 * looked up like any call through a register.
 */
export function isSettled(place: u32): bool {
  const site = siteFor(place);
  const owner = load<u32>(site);
  return owner == place ? load<u32>(site, 8) >= ENOUGH_JUMPS : owner != 0;
}

/** The jump at `place` went so far. */
export function noteJump(place: u32, distance: u64): void {
  const site = siteFor(place);
  if (load<u32>(site) == 0) store<u32>(site, place);
  if (load<u32>(site) != place) return;
  store<u32>(site, load<u32>(site, 8) + 1, 8);
  const known = load<u32>(site, 12);
  for (let n: u32 = 0; n < known; n++) if (observedDistance(site, n) == distance) return;
  if (known == MOST_TARGETS) return;
  store<u64>(site + 16 + ((<usize>known) << 3), distance);
  store<u32>(site, known + 1, 12);
}
