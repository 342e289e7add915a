// Physical memory protection (Privileged Architecture 3.7), 16 entries, with a
// granularity of 4 KiB: a page is allowed or refused as a whole, when it enters a TLB.
import { Access } from "./access-kind";
import { endPlain } from "./plain";
import { hart, Mode, PMP_ADDRESSES, PMP_COUNT } from "./state";
import { flushAll } from "./tlb";

const enum Match { OFF = 0, TOR = 1, NA4 = 2, NAPOT = 3 }
const LOCK: u32 = 0x80;
const ADDRESS_BITS: u64 = (<u64>1 << 54) - 1;
const GRAIN: u64 = 0x3ff; // pmpaddr counts 4-byte units: 10 bits make 4 KiB

// @ts-ignore: decorator
@inline
function config(n: u32): u32 {
  const word = n < 8 ? hart().pmpcfg0 : hart().pmpcfg2;
  return <u32>(word >> <u64>((n & 7) << 3)) & 0xff;
}

function address(n: u32): u64 {
  return load<u64>(PMP_ADDRESSES + ((<usize>n) << 3));
}

/** The first entry's configuration if it is NAPOT with all permissions. */
const OPEN: u64 = 0x1f;

/** May `mode` access the page at `pa`? Most firmware, and the paravirtual boot, open all of memory by the first entry. */
// @ts-ignore: decorator
@inline
export function pmpAllows(pa: u64, access: Access, mode: u32): bool {
  return ((hart().pmpcfg0 & OPEN) == OPEN && address(0) == ADDRESS_BITS) || search(pa, access, mode);
}

function search(pa: u64, access: Access, mode: u32): bool {
  const count = hart().pmpActive;
  if (count == 0) return mode == <u32>Mode.M;
  const at = pa >> 2;
  for (let n: u32 = 0; n < count; n++) {
    const c = config(n);
    let from: u64, end: u64;
    switch ((c >> 3) & 3) {
      case Match.TOR:
        from = n == 0 ? 0 : address(n - 1) & ~GRAIN;
        end = address(n) & ~GRAIN;
        break;
      case Match.NAPOT: {
        const a = address(n) | (GRAIN >> 1);
        const size = (a ^ (a + 1)) + 1; // in 4-byte units, twice the low ones
        from = a & ~(size - 1);
        end = from + size;
        break;
      }
      default:
        continue;
    }
    if (at < from || at >= end) continue;
    if (mode == <u32>Mode.M && (c & LOCK) == 0) return true;
    return ((c >> (access == Access.FETCH ? 2 : access == Access.STORE ? 1 : 0)) & 1) != 0;
  }
  return mode == <u32>Mode.M;
}

export function readPmpAddress(n: u32): u64 {
  const a = address(n);
  return ((config(n) >> 3) & 3) >= <u32>Match.NA4 ? a | (GRAIN >> 1) : a & ~GRAIN;
}

export function writePmpAddress(n: u32, value: u64): void {
  if (config(n) & LOCK) return;
  if (n + 1 < PMP_COUNT) {
    const next = config(n + 1);
    if ((next & LOCK) != 0 && ((next >> 3) & 3) == <u32>Match.TOR) return;
  }
  store<u64>(PMP_ADDRESSES + ((<usize>n) << 3), value & ADDRESS_BITS);
  flushAll();
}

export function writePmpConfig(word: u32, value: u64): void {
  const s = hart();
  const old = word == 0 ? s.pmpcfg0 : s.pmpcfg2;
  let next: u64 = 0;
  for (let i: u64 = 0; i < 64; i += 8) {
    const before = <u32>(old >> i) & 0xff;
    let c = <u32>(value >> i) & 0x9f;
    if (before & LOCK) c = before;
    else {
      if ((c & 3) == 2) c &= ~<u32>2; // W without R is reserved
      if (((c >> 3) & 3) == <u32>Match.NA4) c = (c & ~<u32>0x18) | (before & 0x18); // not selectable at this grain
    }
    if (c & LOCK) endPlain();
    next |= <u64>c << i;
  }
  if (word == 0) s.pmpcfg0 = next;
  else s.pmpcfg2 = next;
  let active: u32 = 0;
  for (let n: u32 = 0; n < PMP_COUNT; n++) if (config(n) & 0x18) active = n + 1;
  s.pmpActive = active;
  flushAll();
}
