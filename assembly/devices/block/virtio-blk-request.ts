// The requests of a virtio block device that move or drop data (virtio 1.2, 5.2.6). Each
// checks its range against the capacity before it touches anything, and answers with the
// status byte.
import { VirtioBlk } from "../../abi/virtio";
import { diskDiscard, diskRead, diskWrite } from "../../host";
import { copyFromChain, copyToChain, nextRun, seek } from "../virtio/chain";
import { VirtioDevice, chainAt, deviceIndex } from "../virtio/device";

/** The request being served: the header as the driver wrote it, then ours. */
@unmanaged
export class Request {
  type: u32;
  reserved: u32;
  sector: u64;
  /** Bytes written to the front of the writable stream. */
  moved: u32;
  unused: u32;
  // One segment of a discard or write-zeroes request; also room for the identifier.
  rangeSector: u64;
  rangeSectors: u32;
  rangeFlags: u32;
}

/** Bytes of the header that a driver sends. */
export const HEADER_BYTES: u32 = 16;

/** Limits that configuration space tells the driver. */
export const MAX_DISCARD_SECTORS: u32 = 1 << 22; // 2 GiB
export const MAX_ZERO_SECTORS: u32 = 1 << 16; // 32 MiB
export const MAX_SEGMENTS: u32 = 32;

/** Longest piece handed to the host at once. */
const RUN_BYTES: u32 = 16 << 20;
const SEGMENT_BYTES: u32 = 16;
const EOPNOTSUPP: i32 = -95;

function inCapacity(sectors: u64, sector: u64, count: u64): bool {
  return sector <= sectors && count <= sectors - sector;
}

/** IN (the disk fills the writable stream up to its last byte) and OUT (the disk takes what follows the header). */
export function transfer(d: VirtioDevice, r: Request, sectors: u64, out: bool): u32 {
  const c = chainAt(d);
  const length = out ? c.readableBytes - HEADER_BYTES : c.writableBytes - 1;
  if (length % VirtioBlk.SECTOR != 0 || !inCapacity(sectors, r.sector, length / VirtioBlk.SECTOR)) return VirtioBlk.S_IOERR;
  if (!seek(c, !out, out ? HEADER_BYTES : 0, length)) return VirtioBlk.S_IOERR;
  let at = <f64>r.sector * VirtioBlk.SECTOR;
  for (let address = nextRun(c, RUN_BYTES); address != 0; address = nextRun(c, RUN_BYTES)) {
    const run = c.run;
    const answer = out ? diskWrite(d.backend, at, address, run) : diskRead(d.backend, at, address, run);
    if (answer != 0) return VirtioBlk.S_IOERR;
    at += run;
    if (!out) r.moved += run;
  }
  return c.left == 0 ? VirtioBlk.S_OK : VirtioBlk.S_IOERR;
}

/** GET_ID: "paravane-disk-" and the device's number, padded with zeros to 20 bytes. */
export function identify(d: VirtioDevice, r: Request): u32 {
  const c = chainAt(d);
  if (c.writableBytes - 1 < <u32>VirtioBlk.ID_BYTES) return VirtioBlk.S_IOERR;
  const text = changetype<usize>(r); // the header has served
  store<u64>(text, 0x656e_6176_6172_6170); // "paravane"
  store<u64>(text, 0x0000_2d6b_7369_642d, 8); // "-disk-"
  store<u32>(text, 0, 16);
  const index = deviceIndex(d);
  store<u8>(text, <u8>(0x30 + index / 10), 14);
  store<u8>(text, <u8>(0x30 + (index % 10)), 15);
  if (!copyToChain(c, 0, text, VirtioBlk.ID_BYTES)) return VirtioBlk.S_IOERR;
  r.moved = VirtioBlk.ID_BYTES;
  return VirtioBlk.S_OK;
}

/** DISCARD and WRITE_ZEROES: segments {sector u64, num_sectors u32, flags u32}, all checked before the first is done. */
export function unmapOrZero(d: VirtioDevice, r: Request, sectors: u64): u32 {
  const c = chainAt(d);
  const zero = r.type == <u32>VirtioBlk.T_WRITE_ZEROES;
  const bytes = c.readableBytes - HEADER_BYTES;
  const count = bytes / SEGMENT_BYTES;
  if (count == 0 || count > MAX_SEGMENTS || bytes % SEGMENT_BYTES != 0) return VirtioBlk.S_IOERR;
  const limit = zero ? MAX_ZERO_SECTORS : MAX_DISCARD_SECTORS;
  const allowed: u32 = zero ? VirtioBlk.UNMAP : 0;
  for (let i: u32 = 0; i < count; i++) {
    readSegment(d, r, i);
    if ((r.rangeFlags & ~allowed) != 0) return VirtioBlk.S_UNSUPP;
    if (r.rangeSectors > limit || !inCapacity(sectors, r.rangeSector, r.rangeSectors)) return VirtioBlk.S_IOERR;
  }
  for (let i: u32 = 0; i < count; i++) {
    readSegment(d, r, i);
    // Read anew, so checked anew: another hart may have written to it.
    const length = min(r.rangeSectors, limit);
    if (!inCapacity(sectors, r.rangeSector, length)) return VirtioBlk.S_IOERR;
    if (length == 0) continue;
    if (zero) d.work += <u64>length * VirtioBlk.SECTOR;
    const answer = diskDiscard(d.backend, <f64>r.rangeSector * VirtioBlk.SECTOR, <f64>length * VirtioBlk.SECTOR, zero ? 1 : 0);
    if (answer != 0) return answer == EOPNOTSUPP ? VirtioBlk.S_UNSUPP : VirtioBlk.S_IOERR;
  }
  return VirtioBlk.S_OK;
}

function readSegment(d: VirtioDevice, r: Request, index: u32): void {
  const to = changetype<usize>(r) + offsetof<Request>("rangeSector");
  copyFromChain(chainAt(d), HEADER_BYTES + index * SEGMENT_BYTES, to, SEGMENT_BYTES);
}
