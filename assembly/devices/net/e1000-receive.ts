// Receiving (3.2): a frame's buffers are taken in e1000Room(), filled by the host, and given
// back to the driver in e1000Deliver(), which finds out whether the frame is wanted, checks
// its checksums and writes the descriptors back. Until then nothing is taken for good.
//
// Three forms of descriptors, by RCTL.DTYP and RFCTL.EXTEN: legacy (3.2.3), and the 82574's
// extended and packet-split ones (82574 7.1.4, 7.1.5).
//
// legacy       read   [ buffer                                         ] [                 ]
//              back   [ (unchanged)         ] [ special | errors | status | checksum | length ]
// extended     back   [ hash or sum | MRQ   ] [ VLAN | length | errors, status             ]
// split        read   [ header buffer ] [ page 1 ] [ page 2 ] [ page 3 ]
//              back   as extended, length of the first buffer, then lengths of the others
//
// There is no wire, so there is no check sequence: where the driver wants it (RCTL.SECRC
// clear), four zeros stand for it. A frame finds no room: the host is told to wait, where a
// wire would lose it. Left out: the place between headers and data in packet-split (the
// buffers are filled in order, which the driver is told), and hashes.
import { NetHeader, NetRoom } from "../../abi/net";
import { dmaRead, dmaWrite } from "../../memory/ram";
import { busMaster } from "../pci/function";
import { byteAt } from "./e1000-checksum";
import { inexact, tagOf, tagged, wanted } from "./e1000-filter";
import { RxStatus, checkFrame, frameErrors, frameStatus, frameSum } from "./e1000-frame";
import { Cause, received, setCause } from "./e1000-interrupt";
import { Ctrl, E1000, Limit, RFCTL_EXTEN, Rctl, Rxcsum, is82574 } from "./e1000-state";
import { Stat, count, countReceived } from "./e1000-statistics";
import { inAdd, inBegin, inList, outList } from "./pieces";

const enum Format {
  LEGACY = 0,
  EXTENDED = 1,
  SPLIT = 2,
}

const HEADER_MIN: u32 = 14;
const ADDRESSES: u32 = 12;
const TAGGED_MIN: u32 = 18;
const LONG_FRAME: u32 = 16_384;
/** With a tag and check sequence. */
const ORDINARY_FRAME: u32 = 1522;
const SPLIT_BUFFERS: u32 = 4;

function format(s: E1000): Format {
  if (!is82574(s) || (s.rfctl & RFCTL_EXTEN) == 0) return Format.LEGACY;
  return (s.rctl & <u32>Rctl.DTYP_PS) != 0 ? Format.SPLIT : Format.EXTENDED;
}

// @ts-ignore: decorator
@inline
function descriptorSize(f: Format): u32 {
  return f == Format.SPLIT ? 32 : 16;
}

/** RDH and RDT count 16 bytes, whatever the descriptors: packet-split ones take two each. */
// @ts-ignore: decorator
@inline
function step(f: Format): u32 {
  return f == Format.SPLIT ? 2 : 1;
}

// @ts-ignore: decorator
@inline
function ringSize(s: E1000): u32 {
  return s.rdlen >> 4;
}

// @ts-ignore: decorator
@inline
function descriptorAt(s: E1000, index: u32): u64 {
  return (<u64>s.rdbal | (<u64>s.rdbah << 32)) + (<u64>index << 4);
}

/** Index behind a descriptor. A ring whose end is no descriptor's is one of a driver that harms itself. */
// @ts-ignore: decorator
@inline
function following(index: u32, f: Format, size: u32): u32 {
  return index + step(f) < size ? index + step(f) : 0;
}

// @ts-ignore: decorator
@inline
function checkSequence(s: E1000): u32 {
  return (s.rctl & <u32>Rctl.SECRC) != 0 ? 0 : <u32>Limit.FCS;
}

/** Bytes in buffer `which` of a descriptor (13.4.22; 82574 10.2.5.5 for packet-split). */
function bufferSize(s: E1000, f: Format, which: u32): u32 {
  if (f == Format.SPLIT) {
    if (which == 0) return (s.psrctl & 0x7f) << 7;
    return ((s.psrctl >> (which << 3)) & 0x3f) << 10;
  }
  const flexible = s.rctl >> 27 & 0xf;
  if (is82574(s) && flexible != 0) return flexible << 10;
  const size = (s.rctl >> <u32>Rctl.BSIZE_SHIFT) & 3;
  return (s.rctl & <u32>Rctl.BSEX) != 0 && size != 0 ? <u32>32_768 >> size : <u32>2048 >> size;
}

/** True if the driver takes frames. */
export function listening(s: E1000): bool {
  return (
    (s.rctl & <u32>Rctl.EN) != 0 &&
    (s.linkUp != 0 || (s.rctl & <u32>Rctl.LBM_MAC) != 0) &&
    busMaster(s.slot) &&
    (s.ctrl & <u32>Ctrl.GIO_MASTER_DISABLE) == 0
  );
}

/** Takes buffers for a frame of `length` bytes: their list, or NetRoom. */
export function takeRoom(s: E1000, length: u32): usize {
  s.rxTaken = 0;
  if (!listening(s) || length < HEADER_MIN) return NetRoom.LOST;
  const long = (s.rctl & <u32>Rctl.LPE) != 0;
  if (length + Limit.FCS > (long ? LONG_FRAME : ORDINARY_FRAME)) {
    count(s, Stat.ROC, 1);
    return NetRoom.LOST;
  }
  const f = format(s);
  const size = ringSize(s);
  if (s.rdh >= size || s.rdt >= size) return refuse(s);
  const buffers: u32 = f == Format.SPLIT ? SPLIT_BUFFERS : 1;
  const total = max(length, <u32>Limit.MIN_FRAME) + checkSequence(s);
  let left = total;
  let taken: u32 = 0;
  inBegin();
  for (let index = s.rdh; left != 0; index = following(index, f, size)) {
    if (index == s.rdt) return refuse(s);
    const descriptor = dmaRead(descriptorAt(s, index), descriptorSize(f));
    if (descriptor == 0) return refuse(s);
    const before = left;
    for (let b: u32 = 0; b < buffers && left != 0; b++) {
      const part = min(left, bufferSize(s, f, b));
      if (part == 0) continue;
      const at = dmaWrite(load<u64>(descriptor + <usize>(b << 3)), part);
      // A buffer that is not memory takes nothing, nor does one list take so many.
      if (at == 0 || !inAdd(at, part)) return NetRoom.LOST;
      left -= part;
    }
    if (left == before) return NetRoom.LOST;
    taken++;
  }
  trim(total - length);
  s.rxTaken = taken;
  s.rxLength = length;
  return inList();
}

function refuse(s: E1000): usize {
  s.rxRefused = 1;
  return NetRoom.NONE;
}

/**
 * Is it worth beginning with `frames` frames of `length` bytes: is there room for all of them, or for as many as the
 * driver leaves room for before it is told that it gets scarce (RCTL.RDMTS)? If not the host waits for that much.
 */
export function holds(s: E1000, frames: u32, length: u32): bool {
  const f = format(s);
  const size = ringSize(s);
  if (s.rdh >= size || s.rdt >= size) return true; // takeRoom() says what becomes of that
  const buffer = max(bufferSize(s, f, 0), 1);
  const each = f == Format.SPLIT ? step(f) : (max(length, <u32>Limit.MIN_FRAME) + checkSequence(s) + buffer - 1) / buffer;
  const wanted = min(frames * each, scarce(s, size));
  if (free(s, size) >= wanted) return true;
  s.rxRefused = wanted;
  return false;
}

/** True if a frame that was refused may find room now, and is to be told so once. */
export function hasRoomAgain(s: E1000): bool {
  if (s.rxRefused == 0 || !listening(s)) return false;
  const size = ringSize(s);
  if (s.rdh < size && s.rdt < size && free(s, size) < min(s.rxRefused, scarce(s, size))) return false;
  s.rxRefused = 0;
  return true;
}

/** Free descriptors at which the driver is told that they are few. */
// @ts-ignore: decorator
@inline
function scarce(s: E1000, size: u32): u32 {
  return size >> (1 + ((s.rctl >> <u32>Rctl.RDMTS_SHIFT) & 3));
}

/** Zeroes the list's last `excess` bytes, padding and check sequence, and takes them off. */
function trim(excess: u32): void {
  const list = inList();
  while (excess != 0) {
    const piece = list + (<usize>load<u32>(list) << 3);
    const length = load<u32>(piece, 4);
    const part = min(length, excess);
    memory.fill(<usize>load<u32>(piece) + (length - part), 0, part);
    excess -= part;
    if (part == length) store<u32>(list, load<u32>(list) - 1);
    else store<u32>(piece, length - part, 4);
  }
}

/** The buffers are filled: gives them to the driver, or back if it does not want the frame. */
export function deliver(s: E1000, header: usize): void {
  const taken = s.rxTaken;
  s.rxTaken = 0;
  if (taken == 0) return;
  const list = inList();
  const head = byteAt(list, 0);
  if (!wanted(s, head)) return;
  let length = s.rxLength;
  let reported = max(length, <u32>Limit.MIN_FRAME);
  countReceived(s, head, reported + Limit.FCS);
  let status: u32 = inexact ? <u32>RxStatus.PIF : 0;
  let tag: u32 = 0;
  if ((s.ctrl & <u32>Ctrl.VME) != 0 && length >= TAGGED_MIN && tagged(s, head)) {
    tag = tagOf(head);
    status |= <u32>RxStatus.VP;
    removeTag(list, length);
    length -= Limit.TAG;
    reported -= Limit.TAG;
    if (header != 0) store<u16>(header, load<u16>(header, NetHeader.CSUM_START) - Limit.TAG, NetHeader.CSUM_START);
  }
  const f = format(s);
  checkFrame(s, list, length, header, f == Format.LEGACY || (s.rxcsum & <u32>Rxcsum.PCSD) == 0);
  writeBack(s, f, taken, reported + checkSequence(s), status | frameStatus, tag);
  advance(s, f, taken);
  received(s);
  if (is82574(s) && s.rsrpd != 0 && reported <= (s.rsrpd & 0xfff)) setCause(s, Cause.SRPD);
}

/** Takes the tag out of a frame: what is behind it moves up, and zeros come behind that. */
function removeTag(list: usize, length: u32): void {
  const first = <usize>load<u32>(list, 8);
  if (load<u32>(list) == 1) {
    memory.copy(first + ADDRESSES, first + ADDRESSES + Limit.TAG, length - ADDRESSES - Limit.TAG);
    memory.fill(first + length - Limit.TAG, 0, Limit.TAG);
    return;
  }
  // Two places in the list, a tag's length apart, move on together.
  let to = list + 8;
  let toAt: u32 = ADDRESSES;
  let from = list + 8;
  let fromAt: u32 = ADDRESSES + Limit.TAG;
  for (let left = length - ADDRESSES; left != 0; left--) {
    while (toAt >= load<u32>(to, 4)) {
      toAt -= load<u32>(to, 4);
      to += 8;
    }
    while (left > <u32>Limit.TAG && fromAt >= load<u32>(from, 4)) {
      fromAt -= load<u32>(from, 4);
      from += 8;
    }
    store<u8>(<usize>load<u32>(to) + toAt, left > <u32>Limit.TAG ? load<u8>(<usize>load<u32>(from) + fromAt) : 0);
    toAt++;
    fromAt++;
  }
}

/** Gives `taken` descriptors back, `total` bytes in them. */
function writeBack(s: E1000, f: Format, taken: u32, total: u32, status: u32, tag: u32): void {
  const size = ringSize(s);
  let index = s.rdh;
  for (let n: u32 = 1; n <= taken; n++) {
    const at = dmaWrite(descriptorAt(s, index), descriptorSize(f));
    index = following(index, f, size);
    if (at == 0) return; // the ring was memory when its buffers were taken
    const last = n == taken;
    const bits: u32 = last ? status | <u32>(RxStatus.DD | RxStatus.EOP) : <u32>RxStatus.DD;
    const errors = last ? frameErrors : 0;
    const first = min(total, bufferSize(s, f, 0));
    total -= first;
    if (f == Format.LEGACY) {
      store<u32>(at, first | (frameSum << 16), 8);
      store<u32>(at, bits | (errors << 8) | (tag << 16), 12);
      continue;
    }
    store<u64>(at, <u64>frameSum << 48);
    store<u32>(at, bits | (errors << 24), 8);
    store<u32>(at, first | (tag << 16), 12);
    if (f != Format.SPLIT) continue;
    store<u16>(at, 0, 16); // header not found: the buffers were filled in order
    for (let b: u32 = 1; b < SPLIT_BUFFERS; b++) {
      const part = min(total, bufferSize(s, f, b));
      total -= part;
      store<u16>(at + <usize>(b << 1), <u16>part, 16);
    }
    store<u64>(at, 0, 24);
  }
}

/** RDH moves on; the driver is told when the free descriptors become as few as RCTL.RDMTS says. */
function advance(s: E1000, f: Format, taken: u32): void {
  const size = ringSize(s);
  const before = free(s, size);
  for (let n: u32 = 0; n < taken; n++) s.rdh = following(s.rdh, f, size);
  const after = free(s, size);
  const threshold = scarce(s, size);
  if (after <= threshold && before > threshold) {
    count(s, Stat.ICRXDMTC, 1);
    setCause(s, Cause.RXDMT0);
  }
}

function free(s: E1000, size: u32): u32 {
  return s.rdt >= s.rdh ? s.rdt - s.rdh : s.rdt + size - s.rdh;
}

/** A frame that was sent, in the list of such, comes back. One that was still to be cut does not. */
export function loopBack(s: E1000, length: u32, header: usize): void {
  if (header != 0 && load<u8>(header, NetHeader.GSO_TYPE) != 0) return;
  const room = takeRoom(s, length);
  if (room == <usize>NetRoom.NONE || room == <usize>NetRoom.LOST) return;
  let to = room + 8;
  let toAt: u32 = 0;
  const list = outList();
  const end = list + 8 + (<usize>load<u32>(list) << 3);
  for (let from = list + 8; from < end; from += 8) {
    let at = <usize>load<u32>(from);
    let left = load<u32>(from, 4);
    while (left != 0) {
      const part = min(left, load<u32>(to, 4) - toAt);
      memory.copy(<usize>load<u32>(to) + toAt, at, part);
      at += part;
      left -= part;
      toAt += part;
      if (toAt == load<u32>(to, 4)) {
        to += 8;
        toAt = 0;
      }
    }
  }
  deliver(s, header);
}
