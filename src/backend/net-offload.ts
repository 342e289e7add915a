// What a network device with offloads does to a frame, in software: fills in the checksum,
// cuts TCP into segments. For whoever takes frames finished only: some backends, some
// drivers, captures.
import { NetGso, NetOffload } from "../../assembly/abi/net.ts";
import { addBytes, checksumOf, fold, putWord } from "./checksum.ts";
import type { NetFrame, NetOffloadRequest } from "./net.ts";
import { findTcp } from "./net-headers.ts";
import { copyOut } from "./parts.ts";

const FIN_AND_PSH = 0x09;
const CWR = 0x80;
const PROTOCOL_TCP = 6;

/** Bits of NetOffload that whoever takes this frame has to know. */
export function offloadsOf({ checksum, segment }: NetOffloadRequest): number {
  let needed = checksum === undefined ? NetOffload.NONE : NetOffload.CHECKSUM;
  if (segment !== undefined) {
    if ((segment.type & NetGso.ECN) !== 0) needed |= NetOffload.ECN;
    needed |= NetOffload.CHECKSUM | ((segment.type & ~NetGso.ECN) === NetGso.TCPV6 ? NetOffload.TSO6 : NetOffload.TSO4);
  }
  return needed;
}

/** The frame's bytes in one piece. */
export function flatten({ parts, length }: NetFrame): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  copyOut(parts, 0, length, bytes, 0);
  return bytes;
}

/** A copy that keeps its meaning. */
export function copyFrame(frame: NetFrame): NetFrame {
  return { parts: [flatten(frame)], length: frame.length, offload: frame.offload };
}

/**
 * Gives `emit` the frame in a form that needs no more than the bits `accepts` of NetOffload: as it is, with its checksum,
 * or in segments. Their parts are of meaning during the call of `emit` alone, unless the frame's own are.
 */
export function finishFrame(frame: NetFrame, accepts: number, emit: (frame: NetFrame) => void): void {
  const { offload } = frame;
  if (offload === undefined || (offloadsOf(offload) & ~accepts) === 0) emit(frame);
  else if (offload.segment !== undefined) emitSegments(flatten(frame), offload, accepts, emit);
  else emit(withChecksum(flatten(frame), offload));
}

function withChecksum(bytes: Uint8Array<ArrayBuffer>, { checksum }: NetOffloadRequest): NetFrame {
  if (checksum !== undefined) {
    const { start, offset } = checksum;
    const sum = checksumOf(addBytes(0, bytes.subarray(start)));
    // UDP says 0xffff where the sum is 0 (RFC 768); to TCP it is the same number.
    putWord(bytes, start + offset, sum === 0 ? 0xffff : sum);
  }
  return { parts: [bytes], length: bytes.length };
}

/** TCP segmentation: each segment has the frame's headers, with lengths, numbers, flags and checksums of its own. */
function emitSegments(
  bytes: Uint8Array<ArrayBuffer>,
  { segment }: NetOffloadRequest,
  accepts: number,
  emit: (frame: NetFrame) => void,
): void {
  const found = findTcp(bytes);
  if (found === undefined || segment === undefined) return;
  const { version, ip, tcp, data } = found;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length;
  const sequence = view.getUint32(tcp + 4);
  const identification = version === 4 ? view.getUint16(ip + 4) : 0;
  const flags = bytes[tcp + 13];
  const addresses = version === 4 ? bytes.subarray(ip + 12, ip + 20) : bytes.subarray(ip + 8, ip + 40);
  const pseudo = addBytes(PROTOCOL_TCP, addresses);
  const leavesChecksum = (accepts & NetOffload.CHECKSUM) !== 0;

  for (let at = data, number = 0; at < end || number === 0; at += segment.size, number++) {
    const payload = bytes.subarray(at, Math.min(at + segment.size, end));
    const headers = bytes.slice(0, data);
    const length = data - tcp + payload.length;
    if (version === 4) {
      putWord(headers, ip + 2, tcp - ip + length);
      putWord(headers, ip + 4, (identification + number) & 0xffff);
      putWord(headers, ip + 10, 0);
      putWord(headers, ip + 10, checksumOf(addBytes(0, headers.subarray(ip, tcp))));
    } else {
      putWord(headers, ip + 4, length);
    }
    new DataView(headers.buffer).setUint32(tcp + 4, (sequence + (at - data)) >>> 0);
    const isLast = at + segment.size >= end;
    headers[tcp + 13] = flags & ~(isLast ? 0 : FIN_AND_PSH) & ~(number === 0 ? 0 : CWR);
    const partial = fold(pseudo + length);
    putWord(headers, tcp + 16, partial);
    const frame: NetFrame = {
      parts: payload.length === 0 ? [headers] : [headers, payload],
      length: headers.length + payload.length,
    };
    if (leavesChecksum) emit({ ...frame, offload: { checksum: { start: tcp, offset: 16 } } });
    else {
      putWord(headers, tcp + 16, 0);
      // The headers' length is even, so the payload's words are the sum's.
      const sum = addBytes(addBytes(partial, headers.subarray(tcp)), payload);
      putWord(headers, tcp + 16, checksumOf(sum));
      emit(frame);
    }
  }
}
