// virtio memory balloon (virtio 1.2, 5.5): the driver gives pages up and takes them back, tells
// how its memory is used, and reports pages that are free.
//
// WebAssembly gives no memory back to the host, so what it comes to is accounting, and that
// such pages read as zeros, which a snapshot need not hold. A page in the balloon must not be used, so
// zeroing it when it goes in is all. A page that was reported as free may be used again at any time without a
// word; it is zeroed at the report too, and one that holds anything later is one that is in use.
//
// With page poisoning negotiated, reported pages keep what they hold: it must not become
// anything but poison_val (5.5.6.7).
//
// Queues: 0 inflate, 1 deflate, 2 statistics, 4 reporting. Linux numbers the queues that it uses
// in a row, so that reporting is its number 3, or 2 without statistics: as free page hints are left out, a
// queue from 2 on that is not for statistics can only be for reports.
//
// Statistics: the driver leaves a buffer with figures. It is held until the host wants new ones,
// and then given back to be filled again.
import { DeviceKind } from "../../abi/device";
import { VirtioBalloon } from "../../abi/virtio";
import { zeroMemory } from "../../memory/ram";
import { copyFromChain, cursorAddress, nextRun, seek } from "../virtio/chain";
import {
  VirtioDevice, chainAt, configAt, configChanged, deviceAt, deviceIs, interruptForQueue, needsReset, negotiated, privateAt, queueAt, queueLive,
} from "../virtio/device";
import { headSound, pushUsed } from "../virtio/queue";
import { Served } from "../virtio/served";
import { balloonPages, deflatePage, emptyBalloon, inflatePage } from "./balloon-pages";

export const QUEUES: u32 = 5;
export const QUEUE_SIZE: u32 = 128;
export const CONFIG_SIZE: u32 = VirtioBalloon.CONFIG_SIZE;

const INFLATE: u32 = 0;
const DEFLATE: u32 = 1;
const STATS: u32 = 2;

/** Pages that one request may name; Linux names 256. */
const MOST_PAGES: u32 = 4096;
/** Page numbers looked at together. */
const PIECE: u32 = 64;
/** Bytes of one report that are zeroed: it is a hint, and no more has to be done with the rest. */
const MOST_REPORTED: u32 = 256 << 20;

@unmanaged
class Balloon {
  /** Pages in the balloon. */
  pages: u32;
  /** The buffer with statistics: is it here, and its chain. */
  statsHeld: u32;
  statsHead: u32;
  /** Counts the times that statistics came. */
  statsSerial: u32;
  /** A bit for each statistic that came last. */
  statsKnown: u32;
  /** Bytes reported as free so far, each time they were. */
  reported: u64;
  // An entry of the statistics as the driver wrote it, and room to its end.
  tag: u16;
  value0: u16;
  value1: u32;
  value2: u16;
}

const enum At {
  STATS = 0x40,
  SCRATCH = 0x100,
}

// @ts-ignore: decorator
@inline
function balloonOf(d: VirtioDevice): Balloon {
  return changetype<Balloon>(privateAt(d));
}

export function features(): u64 {
  return (
    (1 << VirtioBalloon.F_STATS_VQ) | (1 << VirtioBalloon.F_DEFLATE_ON_OOM) |
    (1 << VirtioBalloon.F_PAGE_POISON) | (1 << VirtioBalloon.F_REPORTING)
  );
}

/** The driver starts anew: nothing is in the balloon. What the host wants stays. */
export function reset(d: VirtioDevice): void {
  memory.fill(privateAt(d), 0, <usize>At.SCRATCH);
  emptyBalloon();
  store<u32>(configAt(d), 0, VirtioBalloon.CONFIG_ACTUAL);
  store<u32>(configAt(d), 0, VirtioBalloon.CONFIG_POISON_VAL);
}

/** The driver writes how large the balloon is, and with what it poisons pages. */
export function configWritten(d: VirtioDevice, offset: u32, size: u32, value: u64): void {
  const poison = offset == <u32>VirtioBalloon.CONFIG_POISON_VAL && negotiated(d, VirtioBalloon.F_PAGE_POISON);
  if (size == 4 && (offset == <u32>VirtioBalloon.CONFIG_ACTUAL || poison)) store<u32>(configAt(d) + offset, <u32>value);
  else d.strays++;
}

export function serve(d: VirtioDevice, queue: u32): i64 {
  if (queue == INFLATE || queue == DEFLATE) return movePages(d, queue == INFLATE);
  if (queue == STATS && negotiated(d, VirtioBalloon.F_STATS_VQ)) return takeStats(d);
  if (negotiated(d, VirtioBalloon.F_REPORTING)) return takeReport(d);
  return Served.BROKEN;
}

function movePages(d: VirtioDevice, inflate: bool): i64 {
  const c = chainAt(d);
  const count = c.readableBytes >> 2;
  if (count > MOST_PAGES || (c.readableBytes & 3) != 0) return Served.BROKEN;
  const b = balloonOf(d);
  const scratch = privateAt(d) + <usize>At.SCRATCH;
  for (let done: u32 = 0; done < count; done += PIECE) {
    const n = min(PIECE, count - done);
    if (!copyFromChain(c, done << 2, scratch, n << 2)) return Served.BROKEN;
    for (let i: u32 = 0; i < n; i++) {
      const pfn = load<u32>(scratch + (<usize>i << 2));
      const change = inflate ? inflatePage(pfn) : deflatePage(pfn);
      if (change < 0) d.strays++;
      else if (inflate) b.pages += change;
      else b.pages -= change;
    }
  }
  if (inflate) d.work += <u64>count << 12;
  return 0;
}

function takeReport(d: VirtioDevice): i64 {
  const c = chainAt(d);
  const b = balloonOf(d);
  const length = c.writableBytes;
  if (length == 0) return Served.BROKEN;
  b.reported += length;
  const poisoned = negotiated(d, VirtioBalloon.F_PAGE_POISON) && load<u32>(configAt(d), VirtioBalloon.CONFIG_POISON_VAL) != 0;
  if (poisoned) return 0;
  const most = min(length, MOST_REPORTED);
  for (let done: u32 = 0; done < most; done += c.run) {
    if (!seek(c, true, done, most - done)) break;
    const address = cursorAddress(c);
    if (nextRun(c, 4096 - (<u32>address & 4095)) == 0) break;
    zeroMemory(address, c.run);
  }
  return 0;
}

/** Figures came, in a buffer that is kept until the host wants others. */
function takeStats(d: VirtioDevice): i64 {
  const c = chainAt(d);
  const b = balloonOf(d);
  const entry = changetype<usize>(b) + offsetof<Balloon>("tag");
  b.statsKnown = 0;
  const count = min(c.readableBytes / <u32>VirtioBalloon.STAT_BYTES, <u32>VirtioBalloon.STATS * 2);
  for (let i: u32 = 0; i < count; i++) {
    if (!copyFromChain(c, i * <u32>VirtioBalloon.STAT_BYTES, entry, VirtioBalloon.STAT_BYTES)) return Served.BROKEN;
    const tag: u32 = b.tag;
    if (tag >= <u32>VirtioBalloon.STATS) continue;
    b.statsKnown |= 1 << tag;
    store<u64>(privateAt(d) + <usize>At.STATS + (<usize>tag << 3), load<u64>(entry, 2));
  }
  b.statsSerial++;
  // One buffer is all that a driver needs to give.
  if (b.statsHeld != 0) return 0;
  b.statsHeld = 1;
  b.statsHead = c.head;
  return Served.HELD;
}

/** The driver stopped a queue: its buffer is not ours any more. */
export function queueStopped(d: VirtioDevice, queue: u32): void {
  if (queue == STATS) balloonOf(d).statsHeld = 0;
}

export function validate(d: VirtioDevice): bool {
  const b = balloonOf(d);
  if (b.statsHeld > 1 || (b.statsHeld != 0 && !headSound(queueAt(d, STATS), b.statsHead))) return false;
  return b.pages == balloonPages();
}

// --- what the host does ---

/** Asks the driver for a balloon of `pages` pages of 4 KiB. False: there is no balloon. */
export function virtioBalloonSetTarget(index: u32, pages: u32): bool {
  if (!deviceIs(index, DeviceKind.VIRTIO_BALLOON)) return false;
  const d = deviceAt(index);
  store<u32>(configAt(d), pages, VirtioBalloon.CONFIG_NUM_PAGES);
  configChanged(d);
  return true;
}

/** Asks the driver for new statistics. False if it has none to give, or not now. */
export function virtioBalloonAskStats(index: u32): bool {
  if (!deviceIs(index, DeviceKind.VIRTIO_BALLOON)) return false;
  const d = deviceAt(index);
  const b = balloonOf(d);
  if (b.statsHeld == 0 || !queueLive(d, STATS)) return false;
  b.statsHeld = 0;
  const q = queueAt(d, STATS);
  if (!pushUsed(q, b.statsHead, 0)) {
    needsReset(d);
    return false;
  }
  interruptForQueue(d, q);
  return true;
}

/** Address of the statistics: 16 u64 by tag. */
export function virtioBalloonStats(index: u32): usize {
  return deviceIs(index, DeviceKind.VIRTIO_BALLOON) ? privateAt(deviceAt(index)) + <usize>At.STATS : 0;
}

/** A bit for each statistic that came last. */
export function virtioBalloonStatsKnown(index: u32): u32 {
  return deviceIs(index, DeviceKind.VIRTIO_BALLOON) ? balloonOf(deviceAt(index)).statsKnown : 0;
}

/** Counts the times that statistics came. */
export function virtioBalloonStatsSerial(index: u32): u32 {
  return deviceIs(index, DeviceKind.VIRTIO_BALLOON) ? balloonOf(deviceAt(index)).statsSerial : 0;
}

/** Pages in the balloon now. */
export function virtioBalloonPages(index: u32): u32 {
  return deviceIs(index, DeviceKind.VIRTIO_BALLOON) ? balloonOf(deviceAt(index)).pages : 0;
}

/** Bytes that were reported as free so far, each time they were. */
export function virtioBalloonReported(index: u32): f64 {
  return deviceIs(index, DeviceKind.VIRTIO_BALLOON) ? <f64>balloonOf(deviceAt(index)).reported : 0;
}
