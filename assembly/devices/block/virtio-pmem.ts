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
  VirtioDevice, chainAt, configAt, deviceAt, deviceIs, hostTag, nextEpoch, privateAt,
} from "../virtio/device";
import { HELD, HeldState, entryOf, forgetHeld, freeEntry, giveBack, heldAt, heldCount, heldSound, hold, holderOf, release } from "../virtio/held";
import { Served } from "../virtio/served";

export const QUEUE_SIZE: u32 = 64;
export const CONFIG_SIZE: u32 = VirtioPmem.CONFIG_SIZE;

const NO_RANGE: u32 = 0xffff_ffff;

@unmanaged
class Pmem {
  /** Bytes of memory, and of the disk. */
  bytes: u64;
  /** Number of its range in memory/backed.ts. */
  range: u32;
  /** Of the request being served. */
  type: u32;
  /** Answer to one that the host has answered late. */
  ret: u32;
}

// @ts-ignore: decorator
@inline
function pmemOf(d: VirtioDevice): Pmem {
  return changetype<Pmem>(privateAt(d));
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
      const entry = freeEntry(d);
      hold(d, entry, 0, c.head, address, 4, 0);
      const answer = diskFlush(d.backend, hostTag(d, entry));
      if (answer == 1) return Served.HELD;
      release(d, entry);
      if (answer == 0) ret = VirtioPmem.RESP_OK;
    }
  }
  const at = dmaWrite(address, 4);
  if (at == 0) return Served.BROKEN;
  store<u32>(at, ret);
  return 4;
}

/** The host has finished the flush it answered 1 to; `status` is 0 or a negative errno. False if nobody waits for it. */
export function virtioPmemDiskDone(backend: u32, tag: u32, status: i32): bool {
  const d = holderOf(tag, DeviceKind.VIRTIO_PMEM);
  if (d == null || d.backend != backend) return false;
  finish(d, entryOf(tag), status);
  return true;
}

function finish(d: VirtioDevice, entry: u32, status: i32): void {
  const p = pmemOf(d);
  p.ret = status == 0 ? VirtioPmem.RESP_OK : VirtioPmem.RESP_ERROR;
  giveBack(d, entry, changetype<usize>(p) + offsetof<Pmem>("ret"), 4, 4);
}

/** Asks the host again for every flush that a restored device waits for. */
export function resume(d: VirtioDevice): void {
  findRanges();
  if (heldCount(d) == 0) return;
  nextEpoch(d);
  for (let entry: u32 = 0; entry < HELD; entry++) {
    if (heldAt(d, entry).state == <u8>HeldState.FREE) continue;
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
  return heldSound(d, 1);
}
