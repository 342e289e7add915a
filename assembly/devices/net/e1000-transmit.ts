// Sending (3.3): legacy descriptors, contexts, data descriptors. What the driver gives with
// its write to TDT is sent before its next instruction, a bounded number of descriptors a
// write; the rest goes on in e1000Poll(). A frame is taken only when its last descriptor is
// there, so nothing of it is kept between writes.
//
//         63      48 47     40 39  36 35  32 31     24 23     16 15          0
// legacy  [ special |   CSS   |      | STA |   CMD   |   CSO   |   length    ]
// data    [ special |  POPTS  | ext  | STA |  DCMD   | DTYP |      length    ]
// context [   MSS   | HDRLEN  |      | STA |  TUCMD  | DTYP |      PAYLEN    ]
//
// The controller changes no byte of the driver's: the first 256 of a frame, where headers
// are, are copied and completed here. A checksum over the whole and the cutting into
// segments are left to the host's side, which may leave them out, too (abi/net.ts).
//
// Left out: segmentation of UDP, and the 82574's second queue.
import { NetGso, NetHeader, NetHeaderFlag, NET_FRAME_MAX } from "../../abi/net";
import { DeviceSlot } from "../../abi/hypercall";
import { mayServe, noteHeld, served } from "../../hypercall/devices";
import { dmaRead, dmaWrite } from "../../memory/ram";
import { busMaster } from "../pci/function";
import { fold, sumBytes, sumRange, swap16 } from "./e1000-checksum";
import { Cause, setCause, transmitted } from "./e1000-interrupt";
import { loopBack } from "./e1000-receive";
import { phyLoops } from "./e1000-phy";
import { systemTime } from "./e1000-time";
import { Ctrl, E1000, Limit, Rctl, Tctl, headAt, is82574 } from "./e1000-state";
import { Stat, count, countSent } from "./e1000-statistics";
import { HEADER_OUT, outAdd, outBegin, outList, outSend } from "./pieces";

/** Bits of the second quadword; those of a context's TUCMD first. */
const TCP: u64 = 1 << 24;
const IPV4: u64 = 1 << 25;
const EOP: u64 = 1 << 24;
const IC: u64 = 1 << 26;
const TSE: u64 = 1 << 26;
const RS: u64 = 1 << 27;
const DEXT: u64 = 1 << 29;
const VLE: u64 = 1 << 30;
const IDE: u64 = 1 << 31;
const TSTAMP: u64 = (<u64>1) << 36;
const DTYP: u64 = 0xf << 20;
const DATA: u64 = 1 << 20;
const IXSM: u64 = (<u64>1) << 40;
const TXSM: u64 = (<u64>1) << 41;

/** Status of a descriptor, in its byte 12. */
const STATUS: u64 = 12;
const DONE: u8 = 1;

const DESCRIPTOR: u32 = 16;
/** Descriptors and bytes that a write to TDT serves; descriptors that a frame may have. */
const WORK: u32 = 1024;
const WORK_BYTES: u32 = 8 << 20;
const FRAME_DESCRIPTORS: u32 = 512;

const IPV4_TOTAL_LENGTH: u32 = 2;
const IPV6_PAYLOAD_LENGTH: u32 = 4;
const IPV6_HEADER: u32 = 40;
const ETHERNET_HEADER: u32 = 14;
const ADDRESSES: u32 = 12;
const TSYNCTXCTL_ENABLED: u32 = 1 << 4;
const TSYNCTXCTL_VALID: u32 = 1 << 0;

// The frame that gather() found; of meaning inside transmit() alone.
let frameLength: u32 = 0;
/** Index behind its last descriptor. */
let frameEnd: u32 = 0;
/** Second quadword of its first data descriptor, and of its last. */
let frameFirst: u64 = 0;
let frameLast: u64 = 0;
let frameSound: bool = false;

const enum Gathered {
  NOTHING = 0,
  FRAME = 1,
}

// @ts-ignore: decorator
@inline
function ringSize(s: E1000): u32 {
  return s.tdlen / DESCRIPTOR;
}

// @ts-ignore: decorator
@inline
function descriptorAt(s: E1000, index: u32): u64 {
  return (<u64>s.tdbal | (<u64>s.tdbah << 32)) + <u64>index * DESCRIPTOR;
}

// @ts-ignore: decorator
@inline
function bits(quadword: u64, low: u32, width: u32): u32 {
  return <u32>(quadword >> low) & ((1 << width) - 1);
}

function running(s: E1000): bool {
  return (
    (s.tctl & <u32>Tctl.EN) != 0 &&
    (s.linkUp != 0 || (s.rctl & <u32>Rctl.LBM_MAC) != 0) &&
    busMaster(s.slot) &&
    (s.ctrl & <u32>Ctrl.GIO_MASTER_DISABLE) == 0
  );
}

/** Sends what lies between TDH and TDT, as far as WORK and WORK_BYTES go. */
export function transmit(s: E1000): void {
  s.txWork = 0;
  if (!running(s)) return;
  const size = ringSize(s);
  if (s.tdt >= size || s.tdh >= size || s.tdh == s.tdt) return;
  let done: u32 = 0;
  let bytes: u32 = 0;
  let reports = false;
  let delayed = true;
  while (s.tdh != s.tdt) {
    const budgeted = mayServe(DeviceSlot.NET + s.port);
    if (!budgeted) noteHeld(DeviceSlot.NET + s.port);
    if (!budgeted || done >= WORK || bytes >= WORK_BYTES) {
      s.txWork = 1;
      break;
    }
    if (gather(s, size) == Gathered.NOTHING) break;
    bytes += frameLength;
    served(DeviceSlot.NET + s.port, frameLength);
    if (frameSound && frameLength != 0) sendFrame(s);
    // What re-entered from netSend() receives; it sends nothing.
    for (let i = s.tdh; i != frameEnd; i = i + 1 == size ? 0 : i + 1) {
      const report = writeBack(s, i);
      if (report != 0) {
        reports = true;
        if ((report & IDE) == 0) delayed = false;
      }
      done++;
    }
    s.tdh = frameEnd;
  }
  if (s.tdh == s.tdt && done != 0) {
    s.icr |= <u32>Cause.TXQE;
    count(s, Stat.ICTXQEC, 1);
    if ((s.ims & <u32>Cause.TXQE) != 0) setCause(s, Cause.TXQE);
  }
  if (reports) transmitted(s, delayed);
}

/** Sets DD where the driver wants it; the descriptor's second quadword then, 0 otherwise. */
function writeBack(s: E1000, index: u32): u64 {
  const gpa = descriptorAt(s, index);
  const at = dmaRead(gpa, DESCRIPTOR);
  if (at == 0) return 0;
  const second = load<u64>(at, 8);
  if ((second & RS) == 0) return 0;
  const status = dmaWrite(gpa + STATUS, 1);
  store<u8>(status, load<u8>(status) | DONE);
  return second;
}

/**
 * Gathers the next frame's pieces, the first Limit.HEAD bytes copied. NOTHING if its last descriptor is not there yet,
 * or the ring cannot be read. Contexts on the way take effect; a descriptor that reports nothing but a context is a
 * frame of no bytes.
 */
function gather(s: E1000, size: u32): Gathered {
  frameLength = 0;
  frameSound = s.txSkip == 0;
  let any = false;
  let descriptors: u32 = 0;
  const head = headAt(s);
  outBegin();
  outAdd(head, 1);
  for (let i = s.tdh; i != s.tdt; ) {
    const at = dmaRead(descriptorAt(s, i), DESCRIPTOR);
    if (at == 0) return Gathered.NOTHING;
    const first = load<u64>(at);
    const second = load<u64>(at, 8);
    i = i + 1 == size ? 0 : i + 1;
    descriptors++;
    const isLegacy = (second & DEXT) == 0;
    if (!isLegacy && (second & DTYP) != DATA) {
      if ((second & DTYP) == 0) setContext(s, first, second);
      if (!any) {
        frameEnd = i;
        return Gathered.FRAME;
      }
      continue;
    }
    if (!any) frameFirst = second;
    any = true;
    addBuffer(s, first, isLegacy ? <u32>second & 0xffff : <u32>second & 0xf_ffff);
    if ((second & EOP) != 0) {
      frameLast = second;
      frameEnd = i;
      s.txSkip = 0;
      return Gathered.FRAME;
    }
    if (descriptors >= FRAME_DESCRIPTORS) {
      // No frame is like this: what there is of it goes, and the rest when it comes.
      s.txSkip = 1;
      frameSound = false;
      frameEnd = i;
      return Gathered.FRAME;
    }
  }
  return Gathered.NOTHING;
}

function setContext(s: E1000, first: u64, second: u64): void {
  if ((second & TSE) != 0) {
    s.segment0 = first;
    s.segment1 = second;
  } else {
    s.context0 = first;
    s.context1 = second;
  }
}

/** Adds a buffer to the frame: into the copied beginning while it has room, then as a piece. */
function addBuffer(s: E1000, gpa: u64, length: u32): void {
  if (length == 0 || !frameSound) return;
  const at = dmaRead(gpa, length);
  if (at == 0 || frameLength + length > <u32>NET_FRAME_MAX) {
    frameSound = false;
    return;
  }
  let taken: u32 = 0;
  if (frameLength < <u32>Limit.HEAD) {
    taken = min(<u32>Limit.HEAD - frameLength, length);
    memory.copy(headAt(s) + frameLength, at, taken);
  }
  if (!outAdd(at + taken, length - taken)) frameSound = false;
  frameLength += length;
}

/** The list's first piece is the copied beginning. */
function setHeadPiece(address: usize, length: u32): void {
  store<u32>(outList(), <u32>address, 8);
  store<u32>(outList(), length, 12);
}

/** Completes what the descriptors ask for and gives the frame to the host. */
function sendFrame(s: E1000): void {
  const head = headAt(s);
  if (frameLength < ETHERNET_HEADER) return;
  let headLength = min(frameLength, <u32>Limit.HEAD);
  setHeadPiece(head, headLength);
  const isData = (frameFirst & DEXT) != 0;
  const segments = isData && (frameFirst & TSE) != 0;
  memory.fill(HEADER_OUT, 0, NetHeader.SIZE);
  if (segments) {
    if (!segment(s, headLength)) {
      count(s, Stat.TSCTFC, 1);
      return;
    }
  } else {
    if (frameLength > <u32>Limit.PLAIN_FRAME) return;
    if (isData) offload(s, headLength);
    else if ((frameLast & IC) != 0) sumInto(bits(frameLast, 40, 8), 0, bits(frameLast, 16, 8), headLength);
    if (frameLength < <u32>Limit.MIN_FRAME && (s.tctl & <u32>Tctl.PSP) != 0) {
      memory.fill(head + frameLength, 0, <u32>Limit.MIN_FRAME - frameLength);
      frameLength = Limit.MIN_FRAME;
      headLength = Limit.MIN_FRAME;
      setHeadPiece(head, headLength);
    }
    countSent(s, head, frameLength + Limit.FCS, 1);
  }
  if ((frameLast & VLE) != 0 && (s.ctrl & <u32>Ctrl.VME) != 0) insertTag(s, headLength);
  if (is82574(s) && (frameLast & TSTAMP) != 0 && isData) stamp(s);
  const header: usize = load<u16>(HEADER_OUT) != 0 ? HEADER_OUT : 0;
  if (phyLoops(s) || (s.rctl & <u32>Rctl.LBM_MAC) != 0) loopBack(s, frameLength, header);
  else outSend(s.port, header);
}

/** Checksums of a data descriptor's frame, as its first descriptor and the context say (3.3.6). */
function offload(s: E1000, headLength: u32): void {
  if ((frameFirst & IXSM) != 0) {
    const end = bits(s.context0, 16, 16);
    const sum = ~sumRange(outList(), bits(s.context0, 0, 8), end != 0 ? end + 1 : frameLength);
    storeSum(bits(s.context0, 8, 8), sum, headLength);
  }
  if ((frameFirst & TXSM) != 0) {
    sumInto(bits(s.context0, 32, 8), bits(s.context0, 48, 16), bits(s.context0, 40, 8), headLength);
  }
}

function storeSum(offset: u32, sum: u32, headLength: u32): void {
  if (offset + 2 <= headLength) store<u16>(<usize>load<u32>(outList(), 8) + offset, <u16>sum);
}

/**
 * A checksum of the bytes `start` to `last` (0: all) goes to `offset`, whose old contents count. One to the end is left
 * to the host.
 */
function sumInto(start: u32, last: u32, offset: u32, headLength: u32): void {
  if (offset + 2 > headLength) return;
  if ((last == 0 || last + 1 == frameLength) && offset >= start) {
    store<u8>(HEADER_OUT, NetHeaderFlag.NEEDS_CSUM, NetHeader.FLAGS);
    store<u16>(HEADER_OUT, <u16>start, NetHeader.CSUM_START);
    store<u16>(HEADER_OUT, <u16>(offset - start), NetHeader.CSUM_OFFSET);
  } else {
    storeSum(offset, ~sumRange(outList(), start, last != 0 ? last + 1 : frameLength), headLength);
  }
}

/**
 * Segmentation of TCP (3.5): what the driver left open in the headers, which is each segment's own, is filled in for
 * the whole, so that the frame is what virtio calls one to be cut. False if it is not TCP over IP.
 */
function segment(s: E1000, headLength: u32): bool {
  const head = headAt(s);
  const ip = bits(s.segment0, 0, 8);
  const ipSum = bits(s.segment0, 8, 8);
  const tcp = bits(s.segment0, 32, 8);
  const tcpSum = bits(s.segment0, 40, 8);
  const headers = bits(s.segment1, 40, 8);
  const mss = bits(s.segment1, 48, 16);
  const isV4 = (s.segment1 & IPV4) != 0;
  if ((s.segment1 & TCP) == 0 || mss == 0) return false;
  if (headers > headLength || headers >= frameLength || tcp + 20 > headers || tcpSum < tcp || tcpSum + 2 > headers) return false;
  if (ip < ETHERNET_HEADER || tcp < ip + (isV4 ? 20 : IPV6_HEADER)) return false;
  if (load<u8>(head + ip) >> 4 != (isV4 ? 4 : 6)) return false;
  if (isV4) {
    if (ipSum < ip || ipSum + 2 > tcp || frameLength - ip > 0xffff) return false;
    store<u16>(head + ip, bswap<u16>(<u16>(frameLength - ip)), IPV4_TOTAL_LENGTH);
    if ((frameFirst & IXSM) != 0) {
      store<u16>(head + ipSum, 0);
      store<u16>(head + ipSum, <u16>~sumBytes(head + ip, tcp - ip));
    }
  } else {
    if (frameLength - ip - IPV6_HEADER > 0xffff) return false;
    store<u16>(head + ip, bswap<u16>(<u16>(frameLength - ip - IPV6_HEADER)), IPV6_PAYLOAD_LENGTH);
  }
  // The pseudo header's sum is there without the length, which differs by segment.
  store<u16>(head + tcpSum, <u16>fold(<u64>load<u16>(head + tcpSum) + swap16((frameLength - tcp) & 0xffff)));
  const data = frameLength - headers;
  const segments = (data + mss - 1) / mss;
  store<u8>(HEADER_OUT, NetHeaderFlag.NEEDS_CSUM, NetHeader.FLAGS);
  store<u16>(HEADER_OUT, <u16>tcp, NetHeader.CSUM_START);
  store<u16>(HEADER_OUT, <u16>(tcpSum - tcp), NetHeader.CSUM_OFFSET);
  if (segments > 1) {
    store<u8>(HEADER_OUT, isV4 ? NetGso.TCPV4 : NetGso.TCPV6, NetHeader.GSO_TYPE);
    store<u16>(HEADER_OUT, <u16>headers, NetHeader.HDR_LEN);
    store<u16>(HEADER_OUT, <u16>mss, NetHeader.GSO_SIZE);
    countSent(s, head, headers + mss + Limit.FCS, segments - 1);
  }
  countSent(s, head, headers + data - mss * (segments - 1) + Limit.FCS, 1);
  count(s, Stat.TSCTC, 1);
  return true;
}

/** The tag goes behind the addresses (9.2); what the header says of places behind it moves. */
function insertTag(s: E1000, headLength: u32): void {
  const head = headAt(s);
  const from = head - Limit.TAG;
  memory.copy(from, head, ADDRESSES);
  store<u16>(from + ADDRESSES, bswap<u16>(<u16>s.vet));
  store<u16>(from + ADDRESSES, bswap<u16>(<u16>bits(frameLast, 48, 16)), 2);
  setHeadPiece(from, headLength + Limit.TAG);
  frameLength += Limit.TAG;
  if (load<u8>(HEADER_OUT, NetHeader.FLAGS) == 0) return;
  store<u16>(HEADER_OUT, load<u16>(HEADER_OUT, NetHeader.CSUM_START) + Limit.TAG, NetHeader.CSUM_START);
  if (load<u8>(HEADER_OUT, NetHeader.GSO_TYPE) != 0) {
    store<u16>(HEADER_OUT, load<u16>(HEADER_OUT, NetHeader.HDR_LEN) + Limit.TAG, NetHeader.HDR_LEN);
  }
}

/** Notes when a frame went out, until the driver has read it (82574 7.8). */
function stamp(s: E1000): void {
  if ((s.tsynctxctl & TSYNCTXCTL_ENABLED) == 0 || (s.tsynctxctl & TSYNCTXCTL_VALID) != 0) return;
  const now = systemTime(s);
  s.txstmpl = <u32>now;
  s.txstmph = <u32>(now >> 32);
  s.tsynctxctl |= TSYNCTXCTL_VALID;
}
