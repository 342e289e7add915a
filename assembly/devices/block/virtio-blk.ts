// virtio block device (virtio 1.2, 5.2): as many request queues as it was attached with,
// a write-back cache that is the host's, flush, discard and write zeroes, and a capacity
// that the host may change while the guest runs.
//
// A request is a readable stream {type u32, reserved u32, sector u64, data to write} and
// a writable stream {data read, status u8}; how they are cut into descriptors is the
// driver's business. Requests are done at the kick, straight between guest memory and
// the host. A flush may take the host longer: then the chain is held, the others go on,
// and virtioBlkDiskDone() finishes it on the queue that it came from. Up to HELD chains
// are held at once; then the queues wait.
//
// Topology says blocks of 4 KiB, what the host's page cache is made of. SIZE_MAX is not
// offered: a segment may be as long as RAM, and a limit would only cut requests up.
// Left out: geometry, secure erase, lifetime, zones.
import { DeviceKind } from "../../abi/device";
import { VirtioAttach, VirtioBlk, VirtioBlkConfig } from "../../abi/virtio";
import { diskFlush } from "../../host";
import { dmaWrite } from "../../memory/ram";
import { CHAIN_MAX, copyFromChain, cursorAddress, seek } from "../virtio/chain";
import {
  VIRTIO_DEVICES, VirtioDevice, chainAt, configAt, configChanged, deviceAt, deviceIs, hostTag, negotiated, nextEpoch, privateAt,
} from "../virtio/device";
import { HELD, HeldState, entryOf, forgetHeld, freeEntry, giveBack, heldAt, heldCount, heldSound, hold, holderOf, release } from "../virtio/held";
import { Served } from "../virtio/served";
import { isWaiting, mayWait, moderationSound, waited } from "./moderation";
import { HEADER_BYTES, MAX_DISCARD_SECTORS, MAX_SEGMENTS, MAX_ZERO_SECTORS, Request, identify, transfer, unmapOrZero } from "./virtio-blk-request";

/** A driver without indirect descriptors puts each of a request's buffers into the ring: room for some large ones. */
export const QUEUE_SIZE: u32 = 1024;
/** Most request queues: one for each hart that a machine can have, and as many again for a driver that polls. */
const QUEUES: u32 = 16;
export const CONFIG_SIZE: u32 = VirtioBlkConfig.SIZE;

/** A header and a status byte take two of a chain's buffers. */
const SEG_MAX: u32 = CHAIN_MAX - 2;

@unmanaged
export class Blk {
  /** Capacity in sectors. */
  sectors: u64;
  /** Status byte of a request that the host has answered late. */
  status: u8;
}

/** The request being served, in the device's own state. */
const REQUEST: usize = 0x10;

// @ts-ignore: decorator
@inline
function blkOf(d: VirtioDevice): Blk {
  return changetype<Blk>(privateAt(d));
}

// @ts-ignore: decorator
@inline
export function readOnly(d: VirtioDevice): bool {
  return (d.flags & <u32>VirtioAttach.READ_ONLY) != 0;
}

/** Request queues that the device was attached with, one if nothing was said. */
export function queues(d: VirtioDevice): u32 {
  return min(max(d.flags >> VirtioAttach.QUEUES_SHIFT, 1), QUEUES);
}

export function features(d: VirtioDevice): u64 {
  const always: u64 =
    (1 << VirtioBlk.F_SEG_MAX) |
    (1 << VirtioBlk.F_BLK_SIZE) |
    (1 << VirtioBlk.F_FLUSH) |
    (1 << VirtioBlk.F_TOPOLOGY) |
    (queues(d) > 1 ? 1 << VirtioBlk.F_MQ : 0);
  if (readOnly(d)) return always | (1 << VirtioBlk.F_RO);
  return always | (1 << VirtioBlk.F_CONFIG_WCE) | (1 << VirtioBlk.F_DISCARD) | (1 << VirtioBlk.F_WRITE_ZEROES);
}

/** Largest capacity whose byte offsets a double holds exactly. */
const CAPACITY_MAX: f64 = 9007199254740992;

/** Sectors of a physical block, as a power of two. */
const PHYSICAL_BLOCK_EXP: u32 = 3;

function setCapacity(d: VirtioDevice, capacity: f64): void {
  const bytes = capacity > 0 ? min(capacity, CAPACITY_MAX) : 0;
  const b = blkOf(d);
  b.sectors = <u64>bytes / <u64>VirtioBlk.SECTOR;
  store<u64>(configAt(d), b.sectors, VirtioBlkConfig.CAPACITY);
}

export function attached(d: VirtioDevice, capacity: f64): void {
  setCapacity(d, capacity);
  const config = configAt(d);
  store<u32>(config, SEG_MAX, VirtioBlkConfig.SEG_MAX);
  store<u32>(config, VirtioBlk.SECTOR, VirtioBlkConfig.BLK_SIZE);
  store<u8>(config, PHYSICAL_BLOCK_EXP, VirtioBlkConfig.PHYSICAL_BLOCK_EXP);
  store<u16>(config, 1 << <u16>PHYSICAL_BLOCK_EXP, VirtioBlkConfig.MIN_IO_SIZE);
  store<u16>(config, <u16>queues(d), VirtioBlkConfig.NUM_QUEUES);
  if (readOnly(d)) return;
  store<u32>(config, MAX_DISCARD_SECTORS, VirtioBlkConfig.MAX_DISCARD_SECTORS);
  store<u32>(config, MAX_SEGMENTS, VirtioBlkConfig.MAX_DISCARD_SEG);
  store<u32>(config, 8, VirtioBlkConfig.DISCARD_SECTOR_ALIGNMENT);
  store<u32>(config, MAX_ZERO_SECTORS, VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS);
  store<u32>(config, MAX_SEGMENTS, VirtioBlkConfig.MAX_WRITE_ZEROES_SEG);
  store<u8>(config, 1, VirtioBlkConfig.WRITE_ZEROES_MAY_UNMAP);
}

export function reset(d: VirtioDevice): void {
  forgetHeld(d);
  waited(d.backend);
  store<u8>(configAt(d), 1, VirtioBlkConfig.WRITEBACK);
}

/** A driver that can switch the cache but not flush it starts with it off (5.2.5.1). */
export function featuresAgreed(d: VirtioDevice): void {
  const off = negotiated(d, VirtioBlk.F_CONFIG_WCE) && !negotiated(d, VirtioBlk.F_FLUSH);
  store<u8>(configAt(d), off ? 0 : 1, VirtioBlkConfig.WRITEBACK);
}

/** The cache switch is the only field that a driver may write. */
export function configWritten(d: VirtioDevice, offset: u32, size: u32, value: u64): void {
  const accepted = offset == <u32>VirtioBlkConfig.WRITEBACK && size == 1 && negotiated(d, VirtioBlk.F_CONFIG_WCE);
  if (accepted) store<u8>(configAt(d), <u8>(value & 1), VirtioBlkConfig.WRITEBACK);
  else d.strays++;
}

/** True if a write must be durable before it is done (5.2.6.2). */
function writeThrough(d: VirtioDevice): bool {
  if (negotiated(d, VirtioBlk.F_CONFIG_WCE)) return load<u8>(configAt(d), VirtioBlkConfig.WRITEBACK) == 0;
  return !negotiated(d, VirtioBlk.F_FLUSH);
}

export function serve(d: VirtioDevice, queue: u32): i64 {
  const c = chainAt(d);
  const r = changetype<Request>(privateAt(d) + REQUEST);
  if (c.writableBytes == 0 || !copyFromChain(c, 0, changetype<usize>(r), HEADER_BYTES)) return Served.BROKEN;
  r.moved = 0;
  const sectors = blkOf(d).sectors;
  let status: u32 = VirtioBlk.S_UNSUPP;
  let flush = false;
  switch (r.type) {
    case VirtioBlk.T_IN: {
      status = transfer(d, r, sectors, false);
      break;
    }
    case VirtioBlk.T_OUT: {
      status = readOnly(d) ? VirtioBlk.S_IOERR : transfer(d, r, sectors, true);
      flush = writeThrough(d);
      break;
    }
    case VirtioBlk.T_FLUSH: {
      status = VirtioBlk.S_OK;
      flush = !readOnly(d);
      break;
    }
    case VirtioBlk.T_GET_ID: {
      status = identify(d, r);
      break;
    }
    case VirtioBlk.T_DISCARD:
    case VirtioBlk.T_WRITE_ZEROES: {
      status = readOnly(d) ? VirtioBlk.S_IOERR : unmapOrZero(d, r, sectors);
      flush = writeThrough(d);
      break;
    }
    default: break;
  }
  // The used length counts bytes from the front only (2.7.8.2).
  const written = r.moved == c.writableBytes - 1 ? c.writableBytes : r.moved;
  seek(c, true, c.writableBytes - 1, 1);
  const statusAddress = cursorAddress(c);
  if (flush && status == <u32>VirtioBlk.S_OK) {
    const entry = freeEntry(d);
    hold(d, entry, queue, c.head, statusAddress, 1, written);
    const answer = diskFlush(d.backend, hostTag(d, entry));
    if (answer == 1) return Served.HELD;
    release(d, entry);
    if (answer != 0) status = VirtioBlk.S_IOERR;
  }
  const at = dmaWrite(statusAddress, 1);
  if (at == 0) return Served.BROKEN;
  store<u8>(at, <u8>status);
  return written;
}

/** May the interrupt for what a kick completed wait? */
export function mayOwe(d: VirtioDevice): bool {
  return mayWait(d.backend);
}

/** Does it still? */
export function owesLater(d: VirtioDevice): bool {
  return isWaiting(d.backend);
}

/** It waits no longer. */
export function owedSent(d: VirtioDevice): void {
  waited(d.backend);
}

/** The disk behind `backend` now holds `capacity` bytes: every device in front of it tells its driver. False if there is none. */
export function virtioBlkResize(backend: u32, capacity: f64): bool {
  let found = false;
  for (let index: u32 = 0; index < VIRTIO_DEVICES; index++) {
    if (!deviceIs(index, DeviceKind.VIRTIO_BLK) || deviceAt(index).backend != backend) continue;
    const d = deviceAt(index);
    found = true;
    const before = blkOf(d).sectors;
    setCapacity(d, capacity);
    if (blkOf(d).sectors != before) configChanged(d);
  }
  return found;
}

/**
 * The host has finished the flush it answered 1 to; `status` is 0 or a negative errno. False if nobody waits for it.
 * There is room again then: requests that waited for it go on at the next virtioPoll().
 */
export function virtioBlkDiskDone(backend: u32, tag: u32, status: i32): bool {
  const d = holderOf(tag, DeviceKind.VIRTIO_BLK);
  if (d == null || d.backend != backend) return false;
  finish(d, entryOf(tag), status);
  return true;
}

function finish(d: VirtioDevice, entry: u32, status: i32): void {
  const b = blkOf(d);
  b.status = <u8>(status == 0 ? VirtioBlk.S_OK : VirtioBlk.S_IOERR);
  giveBack(d, entry, changetype<usize>(b) + offsetof<Blk>("status"), 1, heldAt(d, entry).note);
}

/** Asks the host again for every flush that a restored device waits for. */
export function resume(d: VirtioDevice): void {
  if (heldCount(d) == 0) return;
  nextEpoch(d);
  for (let entry: u32 = 0; entry < HELD; entry++) {
    const state = heldAt(d, entry).state;
    if (state == <u8>HeldState.FREE) continue;
    if (state == <u8>HeldState.ABANDONED) {
      release(d, entry);
      continue;
    }
    const answer = diskFlush(d.backend, hostTag(d, entry));
    if (answer != 1) finish(d, entry, answer);
  }
}

export function validate(d: VirtioDevice): bool {
  return blkOf(d).sectors <= <u64>CAPACITY_MAX / <u64>VirtioBlk.SECTOR && heldSound(d, queues(d)) && moderationSound();
}
