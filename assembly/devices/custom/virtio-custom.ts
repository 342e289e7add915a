// Virtio devices whose model is the host's: what a request asks is decided by whoever embeds the
// guest (src/machine/define-virtio.ts); here are the rings, and the way there. A queue is one of
// requests, each of them a call of the host, or of room, which the host fills when it has something.
//
// The host answers a request at once, or says LATER: then the chain is held, others go on, and
// customRequestDone() finishes it. Such an answer must fit into the first piece of the room for it.
// A restored machine's host knows no request of before: held ones are given back empty.
//
//   own state: 32 bytes of VirtioCustom, then the held requests
import { Dev, DeviceKind } from "../../abi/device";
import { Gpa, Machine } from "../../abi/layout";
import { VirtioCustom } from "../../abi/virtio";
import { customConfigWritten, customRequest, customReset, customRoom } from "../../host";
import { dmaWrite, inRam } from "../../memory/ram";
import { copyToChain, cursorAddress, nextRun, seek } from "../virtio/chain";
import {
  VirtioDevice, chainAt, configAt, configChanged, deviceAt, deviceIs, hostTag, interruptForQueue, needsReset, nextEpoch, privateAt, queueAt,
  queueLive,
} from "../virtio/device";
import { giveInput, inputGiven, takeRoom } from "../virtio/input";
import { listPieces } from "../virtio/pieces";
import { headSound, pushUsed } from "../virtio/queue";
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
  /** Entries in use. */
  held: u32;
  reserved: u32;
}

const enum State {
  FREE = 0,
  /** The chain waits for the host. */
  HELD = 1,
  /** The driver has taken the chain back; the host's answer will be for nobody. */
  ABANDONED = 2,
}

/** [ room 32 | replyAt 32 ], an offset in RAM; [ head 16 | queue 8 | state 8 ]. */
@unmanaged
class Held {
  replyAt: u32;
  room: u32;
  head: u32;
  queue: u16;
  state: u16;
}

// @ts-ignore: decorator
@inline
function customOf(d: VirtioDevice): Custom {
  return changetype<Custom>(privateAt(d));
}

// @ts-ignore: decorator
@inline
function heldAt(d: VirtioDevice, index: u32): Held {
  return changetype<Held>(privateAt(d) + offsetof<Custom>() + <usize>index * offsetof<Held>());
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
  c.held = 0;
  c.reserved = 0;
  if (!sound(c)) memory.fill(changetype<usize>(c), 0, offsetof<Custom>());
  memory.copy(configAt(d), <usize>Machine.SCRATCH + <usize>VirtioCustom.CONFIG, c.configSize);
}

function sound(c: Custom): bool {
  const size = c.queueSize;
  return c.id != 0 && c.id < 64 && c.queues != 0 && c.queues <= <u32>VirtioCustom.QUEUES_MAX
    && size != 0 && size <= <u32>VirtioCustom.QUEUE_SIZE_MAX && (size & (size - 1)) == 0
    && c.configSize <= <u32>VirtioCustom.CONFIG_MAX && c.features >>> <u32>VirtioCustom.FEATURE_BITS == 0
    && c.inputs >>> c.queues == 0 && c.held <= <u32>VirtioCustom.HELD;
}

export function reset(d: VirtioDevice): void {
  const c = customOf(d);
  if (c.held != 0) {
    memory.fill(changetype<usize>(heldAt(d, 0)), 0, <usize>VirtioCustom.HELD * offsetof<Held>());
    c.held = 0;
    nextEpoch(d);
  }
  customReset(d.backend);
}

/** Chains of the queue that the host has not answered are the driver's again. */
export function queueStopped(d: VirtioDevice, queue: u32): void {
  if (customOf(d).held == 0) return;
  for (let entry: u32 = 0; entry < <u32>VirtioCustom.HELD; entry++) {
    const h = heldAt(d, entry);
    if (h.state == <u16>State.HELD && h.queue == <u16>queue) h.state = <u16>State.ABANDONED;
  }
}

export function servedAtKick(d: VirtioDevice, queue: u32): bool {
  return ((customOf(d).inputs >>> queue) & 1) == 0;
}

export function roomAdded(d: VirtioDevice, queue: u32): void {
  if (!servedAtKick(d, queue)) customRoom(d.backend, queue);
}

export function canServe(d: VirtioDevice): bool {
  return customOf(d).held < <u32>VirtioCustom.HELD;
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
  let replyAt: u32 = 0;
  let first: u32 = 0;
  if (seek(c, true, 0, room) && room != 0) {
    replyAt = <u32>(cursorAddress(c) - <u64>(<u32>Gpa.RAM));
    nextRun(c, room);
    first = c.run;
  }
  let entry: u32 = 0;
  while (heldAt(d, entry).state != <u16>State.FREE) entry++; // canServe() saw to it that one is free
  const written = customRequest(d.backend, queue, hostTag(d, entry), list, readable, writable);
  if (written != VirtioCustom.LATER) return min(<u32>max(written, 0), room);
  const h = heldAt(d, entry);
  h.replyAt = replyAt;
  h.room = first;
  h.head = head;
  h.queue = <u16>queue;
  h.state = <u16>State.HELD;
  customOf(d).held++;
  return Served.HELD;
}

/** The answer, `length` bytes at `address`, to the request that was called `tag`. False if nobody waits for it. */
export function virtioCustomDone(tag: u32, address: usize, length: u32): bool {
  const index = (tag >> 8) & 0xff;
  const entry = tag & 0xff;
  if (!deviceIs(index, DeviceKind.VIRTIO_CUSTOM) || entry >= <u32>VirtioCustom.HELD) return false;
  const d = deviceAt(index);
  if (tag != hostTag(d, entry) || heldAt(d, entry).state == <u16>State.FREE) return false;
  return finish(d, entry, address, length);
}

function finish(d: VirtioDevice, entry: u32, address: usize, length: u32): bool {
  const h = heldAt(d, entry);
  const wasHeld = h.state == <u16>State.HELD;
  h.state = <u16>State.FREE;
  customOf(d).held--;
  if (!wasHeld || !queueLive(d, h.queue)) return false;
  length = min(length, h.room);
  const q = queueAt(d, h.queue);
  if (length != 0) {
    const at = dmaWrite(<u64>(<u32>Gpa.RAM) + h.replyAt, length);
    if (at == 0) {
      needsReset(d);
      return true;
    }
    memory.copy(at, address, length);
  }
  if (!pushUsed(q, h.head, length)) needsReset(d);
  else interruptForQueue(d, q);
  return true;
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
  if (customOf(d).held == 0) return;
  nextEpoch(d);
  for (let entry: u32 = 0; entry < <u32>VirtioCustom.HELD; entry++) {
    if (heldAt(d, entry).state != <u16>State.FREE) finish(d, entry, 0, 0);
  }
}

export function validate(d: VirtioDevice): bool {
  if (!sound(customOf(d))) return false;
  let held: u32 = 0;
  for (let entry: u32 = 0; entry < <u32>VirtioCustom.HELD; entry++) {
    const h = heldAt(d, entry);
    if (h.state == <u16>State.FREE) continue;
    held++;
    if (h.state > <u16>State.ABANDONED || h.queue >= <u16>queues(d)) return false;
    if (!headSound(queueAt(d, h.queue), h.head)) return false;
    if (h.room != 0 && !inRam(<u64>(<u32>Gpa.RAM) + h.replyAt, h.room)) return false;
  }
  return held == customOf(d).held;
}
