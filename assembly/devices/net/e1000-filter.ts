// Which frames the driver wants (9.1 and 13.5): receive addresses, the multicast table by
// a hash of twelve bits, broadcast, the promiscuous modes, and VLANs.
import { E1000, Limit, Rctl, addressesAt, multicastAt, vlansAt } from "./e1000-state";
import { isBroadcast } from "./e1000-statistics";

/** RAH: the address is valid. */
const VALID: u32 = 1 << 31;

/** The last wanted() matched by the multicast table's hash, or because all are wanted. */
export let inexact: bool = false;

/** True if a frame that begins at `head`, 18 bytes at least, passes the filters. */
export function wanted(s: E1000, head: usize): bool {
  return destinationWanted(s, head) && vlanWanted(s, head);
}

function destinationWanted(s: E1000, head: usize): bool {
  const low = load<u32>(head);
  const high: u32 = load<u16>(head, 4);
  inexact = false;
  const table = addressesAt(s);
  for (let i: usize = 0; i < <usize>Limit.ADDRESSES; i++) {
    const entry = load<u32>(table + (i << 3), 4);
    if ((entry & VALID) != 0 && load<u32>(table + (i << 3)) == low && (entry & 0xffff) == high) return true;
  }
  if ((low & 1) == 0) {
    inexact = true;
    return (s.rctl & <u32>Rctl.UPE) != 0;
  }
  if (isBroadcast(head)) return (s.rctl & <u32>(Rctl.BAM | Rctl.MPE)) != 0;
  inexact = true;
  if ((s.rctl & <u32>Rctl.MPE) != 0) return true;
  // Twelve bits of the last two bytes: RCTL.MO says which, 47:36 down to 43:32.
  const offset = (s.rctl >> <u32>Rctl.MO_SHIFT) & 3;
  const shift: u32 = offset == 3 ? 0 : 4 - offset;
  const hash = (high >> shift) & 0xfff;
  return ((load<u32>(multicastAt(s) + <usize>((hash >> 5) << 2)) >> (hash & 31)) & 1) != 0;
}

/** True if the frame has a tag of the type that VET says. */
export function tagged(s: E1000, head: usize): bool {
  return bswap<u16>(load<u16>(head, 12)) == <u16>s.vet;
}

/** The tag's sixteen bits. */
export function tagOf(head: usize): u32 {
  return bswap<u16>(load<u16>(head, 14));
}

function vlanWanted(s: E1000, head: usize): bool {
  if ((s.rctl & <u32>Rctl.VFE) == 0 || !tagged(s, head)) return true;
  const tag = tagOf(head);
  if ((s.rctl & <u32>Rctl.CFIEN) != 0 && ((tag >> 12) & 1) != ((s.rctl & <u32>Rctl.CFI) != 0 ? 1 : 0)) return false;
  const id = tag & 0xfff;
  return ((load<u32>(vlansAt(s) + <usize>((id >> 5) << 2)) >> (id & 31)) & 1) != 0;
}
