// Virtio devices whose model is the host's: what a request asks is decided by whoever embeds the
// guest (src/machine/define-virtio.ts); here are the rings, and the way there. A queue is one of
// requests, each of them a call of the host, or of room, which the host fills when it has something.
//
// The host answers a request at once, or says LATER: then the chain is held, others go on, and
// customRequestDone() finishes it. Such an answer must fit into the first piece of the room for it.
// A restored machine's host knows no request of before: held ones are given back empty.
//
//   own state: 32 bytes of VirtioCustom
import { Dev, DeviceKind } from "../../abi/device";
import { Gpa, Machine } from "../../abi/layout";
import { VirtioCustom } from "../../abi/virtio";
import { customConfigWritten, customRequest, customReset, customRoom } from "../../host";
import { copyToChain, cursorAddress, nextRun, seek } from "../virtio/chain";
import {
  VirtioDevice, chainAt, configAt, configChanged, deviceAt, deviceIs, hostTag, nextEpoch, privateAt, queueLive,
} from "../virtio/device";
import { HELD, HeldState, entryOf, forgetHeld, freeEntry, giveBack, heldAt, heldCount, heldSound, hold, holderOf } from "../virtio/held";
import { giveInput, inputGiven, takeRoom } from "../virtio/input";
import { listPieces } from "../virtio/pieces";
import { Served } from "../virtio/served";

/** Most pieces of one chain: it has at most as many buffers. */
const PIECES: u32 = 256;

@unmanaged
class Custom {
  id: u32;
  queues: u32;
  queueSize: u32;
  configSize: u32;
  features: u32;
  inputs: u32;
  reserved: u64;
}

// @ts-ignore: decorator
@inline
function customOf(d: VirtioDevice): Custom {
  return changetype<Custom>(privateAt(d));
}

export function idOf(d: VirtioDevice): u32 {
  return customOf(d).id;
}

export function queues(d: VirtioDevice): u32 {
  return customOf(d).queues;
}

export function queueSize(d: VirtioDevice): u32 {
  return customOf(d).queueSize;
}

export function configSize(d: VirtioDevice): u32 {
  return customOf(d).configSize;
}

export function features(d: VirtioDevice): u64 {
  return customOf(d).features;
}

/** Takes what the host says at Machine.SCRATCH; a definition that cannot be makes a device without queues. */
export function attached(d: VirtioDevice): void {
  memory.copy(privateAt(d), <usize>Machine.SCRATCH, <usize>VirtioCustom.CONFIG);
  const c = customOf(d);
  c.reserved = 0;
  if (!sound(c)) memory.fill(changetype<usize>(c), 0, offsetof<Custom>());
  memory.copy(configAt(d), <usize>Machine.SCRATCH + <usize>VirtioCustom.CONFIG, c.configSize);
}

function sound(c: Custom): bool {
  const size = c.queueSize;
  return c.id != 0 && c.id < 64 && c.queues != 0 && c.queues <= <u32>VirtioCustom.QUEUES_MAX
    && size != 0 && size <= <u32>VirtioCustom.QUEUE_SIZE_MAX && (size & (size - 1)) == 0
    && c.configSize <= <u32>VirtioCustom.CONFIG_MAX && c.features >>> <u32>VirtioCustom.FEATURE_BITS == 0
    && c.inputs >>> c.queues == 0;
}

export function reset(d: VirtioDevice): void {
  forgetHeld(d);
  customReset(d.backend);
}

export function servedAtKick(d: VirtioDevice, queue: u32): bool {
  return ((customOf(d).inputs >>> queue) & 1) == 0;
}

export function roomAdded(d: VirtioDevice, queue: u32): void {
  if (!servedAtKick(d, queue)) customRoom(d.backend, queue);
}

export function serve(d: VirtioDevice, queue: u32): i64 {
  const c = chainAt(d);
  const list: usize = Dev.CUSTOM_REQUEST;
  const readable = listPieces(c, false, list, PIECES);
  const room = c.writableBytes;
  const head = c.head;
  const to = list + (<usize>readable << 3);
  const writable = listPieces(c, true, to, PIECES);
  // Where a late answer goes; the host may use the chain's place for another before it returns.
  let replyAt: u64 = <u32>Gpa.RAM;
  let first: u32 = 0;
  if (seek(c, true, 0, room) && room != 0) {
    replyAt = cursorAddress(c);
    nextRun(c, room);
    first = c.run;
  }
  const entry = freeEntry(d);
  const written = customRequest(d.backend, queue, hostTag(d, entry), list, readable, writable);
  if (written != VirtioCustom.LATER) return min(<u32>max(written, 0), room);
  hold(d, entry, queue, head, replyAt, first, 0);
  return Served.HELD;
}

/** The answer, `length` bytes at `address`, to the request that was called `tag`. False if nobody waits for it. */
export function virtioCustomDone(tag: u32, address: usize, length: u32): bool {
  const d = holderOf(tag, DeviceKind.VIRTIO_CUSTOM);
  return d != null && finish(d, entryOf(tag), address, length);
}

function finish(d: VirtioDevice, entry: u32, address: usize, length: u32): bool {
  length = min(length, heldAt(d, entry).room);
  return giveBack(d, entry, address, length, length);
}

/**
 * Fills the next room that the driver left in an input queue with `length` bytes at `address`, as many as fit; how many,
 * or -1 if there is no room: customRoom() tells when there is.
 */
export function virtioCustomGive(instance: u32, queue: u32, address: usize, length: u32): i32 {
  if (!deviceIs(instance, DeviceKind.VIRTIO_CUSTOM)) return -1;
  const d = deviceAt(instance);
  if (queue >= queues(d) || servedAtKick(d, queue)) return -1;
  if (!takeRoom(d, queue, 1)) {
    // Another look, for what has come since: the driver is to tell of the next.
    if (!queueLive(d, queue) || !inputGiven(d, queue, true) || !takeRoom(d, queue, 1)) return -1;
  }
  const count = min(length, chainAt(d).writableBytes);
  copyToChain(chainAt(d), 0, address, count);
  giveInput(d, queue, count);
  inputGiven(d, queue, true);
  return count;
}

/** What the driver writes is there to be read at once; the host may then change it. */
export function configWritten(d: VirtioDevice, offset: u32, size: u32, value: u64): void {
  const at = configAt(d) + offset;
  if (size == 1) store<u8>(at, <u8>value);
  else if (size == 2) store<u16>(at, <u16>value);
  else if (size == 4) store<u32>(at, <u32>value);
  else store<u64>(at, value);
  customConfigWritten(d.backend, offset, size);
}

/** The host sets `length` bytes of configuration space; `notify` tells the driver. False if they lie outside. */
export function virtioCustomSetConfig(instance: u32, offset: u32, address: usize, length: u32, notify: bool): bool {
  if (!deviceIs(instance, DeviceKind.VIRTIO_CUSTOM)) return false;
  const d = deviceAt(instance);
  const size = configSize(d);
  if (offset > size || length > size - offset) return false;
  memory.copy(configAt(d) + offset, address, length);
  if (notify) configChanged(d);
  return true;
}

/** Configuration space's address, for the host to read. */
export function virtioCustomConfig(instance: u32): usize {
  return deviceIs(instance, DeviceKind.VIRTIO_CUSTOM) ? configAt(deviceAt(instance)) : 0;
}

/** A restored device: the host that held its requests is gone. */
export function resume(d: VirtioDevice): void {
  if (heldCount(d) == 0) return;
  nextEpoch(d);
  for (let entry: u32 = 0; entry < HELD; entry++) {
    if (heldAt(d, entry).state != <u8>HeldState.FREE) finish(d, entry, 0, 0);
  }
}

export function validate(d: VirtioDevice): bool {
  return sound(customOf(d)) && heldSound(d, queues(d));
}
