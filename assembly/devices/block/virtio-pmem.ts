// virtio PMEM device (virtio 1.2, 5.19): a disk whose contents lie in guest memory, where the
// guest reads and writes them with no exit at all (ext4 with -o dax: from user mode too). What
// is left to ask for is durability: a flush writes the pages that were written since the last one
// to the host's disk (memory/backed.ts knows them), and flushes that.
//
// A request is {type u32}, its answer {ret u32}: 0, or not 0 for a failure. Pages are written at
// the kick. The host's own flush may take longer: then the chain is held, and virtioPmemDiskDone()
// finishes it. Up to HELD chains are held at once; then the queue waits.
//
// The specification knows no read-only device. On one of ours the guest may write to its
// copy, as it has to when it mounts a file system that was not unmounted; a flush after that fails.
//
// Left out: VIRTIO_PMEM_F_SHMEM_REGION, for configuration space says where the memory is.
import { DeviceKind } from "../../abi/device";
import { Gpa } from "../../abi/layout";
import { VirtioAttach, VirtioPmem } from "../../abi/virtio";
import { diskFlush } from "../../host";
import { addRange, findRanges, isDirty, isRange, rangesValid, writeBack } from "../../memory/backed";
import { dmaWrite, inRam } from "../../memory/ram";
import { copyFromChain, cursorAddress, nextRun, seek } from "../virtio/chain";
import {
  VirtioDevice, chainAt, configAt, deviceAt, deviceIs, hostTag, interruptForQueue, needsReset, nextEpoch, privateAt, queueAt, queueLive,
} from "../virtio/device";
import { headSound, pushUsed } from "../virtio/queue";
import { Served } from "../virtio/served";

export const QUEUE_SIZE: u32 = 64;
export const CONFIG_SIZE: u32 = VirtioPmem.CONFIG_SIZE;

const HELD: u32 = 32;
const NO_RANGE: u32 = 0xffff_ffff;

@unmanaged
class Pmem {
  /** Bytes of memory, and of the disk. */
  bytes: u64;
  /** Number of its range in memory/backed.ts. */
  range: u32;
  /** Chains held. */
  held: u32;
  /** Of the request being served. */
  type: u32;
}

const enum At {
  HELD = 0x20,
  HELD_SIZE = 16,
}

/** A chain that waits for the host. */
@unmanaged
class Held {
  used: u32;
  head: u32;
  /** Where the answer goes, as an offset in RAM. */
  answerAt: u32;
}

// @ts-ignore: decorator
@inline
function pmemOf(d: VirtioDevice): Pmem {
  return changetype<Pmem>(privateAt(d));
}

// @ts-ignore: decorator
@inline
function heldAt(d: VirtioDevice, index: u32): Held {
  return changetype<Held>(privateAt(d) + <usize>At.HELD + <usize>index * <usize>At.HELD_SIZE);
}

export function attached(d: VirtioDevice, capacity: f64): void {
  const p = pmemOf(d);
  p.bytes = capacity > 0 && capacity <= 4294967296 ? <u64>capacity : 0;
  p.range = NO_RANGE;
}

/**
 * After attaching: its memory begins at page `page` of memory. False if there is no such device, it has its place
 * already, or the memory is not there.
 */
export function virtioPmemSetPlace(index: u32, page: u32): bool {
  if (!deviceIs(index, DeviceKind.VIRTIO_PMEM)) return false;
  const d = deviceAt(index);
  const p = pmemOf(d);
  const start = <u64>(<u32>Gpa.RAM) + (<u64>page << 12);
  if (p.range != NO_RANGE || (p.bytes & 0xfff) != 0 || !inRam(start, p.bytes)) return false;
  const range = addRange(page, <u32>(p.bytes >> 12), d.backend);
  if (range < 0) return false;
  p.range = <u32>range;
  store<u64>(configAt(d), start, VirtioPmem.CONFIG_START);
  store<u64>(configAt(d), p.bytes, VirtioPmem.CONFIG_SIZE_AT);
  return true;
}

export function reset(d: VirtioDevice): void {
  forgetHeld(d);
}

export function canServe(d: VirtioDevice): bool {
  return pmemOf(d).held < HELD;
}

export function serve(d: VirtioDevice): i64 {
  const c = chainAt(d);
  const p = pmemOf(d);
  if (c.writableBytes < 4 || !copyFromChain(c, 0, changetype<usize>(p) + offsetof<Pmem>("type"), 4)) return Served.BROKEN;
  seek(c, true, 0, 4);
  const address = cursorAddress(c);
  // An answer in several places would be a driver's joke.
  if (nextRun(c, 4) == 0 || c.run != 4) return Served.BROKEN;
  let ret: u32 = VirtioPmem.RESP_ERROR;
  if (p.type == <u32>VirtioPmem.REQ_FLUSH && p.range != NO_RANGE) {
    if ((d.flags & <u32>VirtioAttach.READ_ONLY) != 0) ret = isDirty(p.range) ? VirtioPmem.RESP_ERROR : VirtioPmem.RESP_OK;
    else if (writeBack(p.range) == 0) {
      const tag = hold(d, c.head, address);
      const answer = diskFlush(d.backend, tag);
      if (answer == 1) return Served.HELD;
      release(d, tag & 0xff);
      if (answer == 0) ret = VirtioPmem.RESP_OK;
    }
  }
  return answerTo(address, ret) ? 4 : Served.BROKEN;
}

function answerTo(address: u64, ret: u32): bool {
  const at = dmaWrite(address, 4);
  if (at == 0) return false;
  store<u32>(at, ret);
  return true;
}

/** canServe() saw to it that an entry is free. */
function hold(d: VirtioDevice, head: u32, address: u64): u32 {
  let entry: u32 = 0;
  while (heldAt(d, entry).used != 0) entry++;
  const h = heldAt(d, entry);
  h.used = 1;
  h.head = head;
  h.answerAt = <u32>(address - <u64>(<u32>Gpa.RAM));
  pmemOf(d).held++;
  return hostTag(d, entry);
}

function release(d: VirtioDevice, entry: u32): void {
  memory.fill(changetype<usize>(heldAt(d, entry)), 0, <usize>At.HELD_SIZE);
  pmemOf(d).held--;
}

/** Gives up every held chain: the host's answers for them will find another epoch. */
export function forgetHeld(d: VirtioDevice): void {
  const p = pmemOf(d);
  if (p.held == 0) return;
  memory.fill(privateAt(d) + <usize>At.HELD, 0, <usize>(HELD * At.HELD_SIZE));
  p.held = 0;
  nextEpoch(d);
}

/** The host has finished the flush it answered 1 to; `status` is 0 or a negative errno. False if nobody waits for it. */
export function virtioPmemDiskDone(backend: u32, tag: u32, status: i32): bool {
  const index = (tag >> 8) & 0xff;
  const entry = tag & 0xff;
  if (!deviceIs(index, DeviceKind.VIRTIO_PMEM) || entry >= HELD) return false;
  const d = deviceAt(index);
  if (d.backend != backend || tag != hostTag(d, entry) || heldAt(d, entry).used == 0) return false;
  finish(d, entry, status);
  return true;
}

function finish(d: VirtioDevice, entry: u32, status: i32): void {
  const h = heldAt(d, entry);
  const head = h.head;
  const address = <u64>(<u32>Gpa.RAM) + h.answerAt;
  release(d, entry);
  if (!queueLive(d, 0)) return;
  const q = queueAt(d, 0);
  if (!answerTo(address, status == 0 ? VirtioPmem.RESP_OK : VirtioPmem.RESP_ERROR) || !pushUsed(q, head, 4)) needsReset(d);
  else interruptForQueue(d, q);
}

/** Asks the host again for every flush that a restored device waits for. */
export function resume(d: VirtioDevice): void {
  findRanges();
  if (pmemOf(d).held == 0) return;
  nextEpoch(d);
  for (let entry: u32 = 0; entry < HELD; entry++) {
    if (heldAt(d, entry).used == 0) continue;
    const answer = diskFlush(d.backend, hostTag(d, entry));
    if (answer != 1) finish(d, entry, answer);
  }
}

export function validate(d: VirtioDevice): bool {
  const p = pmemOf(d);
  const config = configAt(d);
  if (!rangesValid()) return false;
  if (p.range != NO_RANGE) {
    if (load<u64>(config, VirtioPmem.CONFIG_SIZE_AT) != p.bytes) return false;
    if (!isRange(p.range, load<u64>(config, VirtioPmem.CONFIG_START), p.bytes, d.backend)) return false;
  }
  let held: u32 = 0;
  for (let entry: u32 = 0; entry < HELD; entry++) {
    const h = heldAt(d, entry);
    if (h.used > 1) return false;
    if (h.used == 0) continue;
    held++;
    if (!headSound(queueAt(d, 0), h.head) || !inRam(<u64>(<u32>Gpa.RAM) + h.answerAt, 4)) return false;
  }
  return held == p.held;
}
