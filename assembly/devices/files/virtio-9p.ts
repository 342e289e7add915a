// virtio 9P transport (device 9; its layout is the one of Linux's net/9p/trans_virtio.c):
// one queue, each chain a 9P message in its readable part and room for the reply in its
// writable part. The device carries messages and understands none of them: the server is
// the host's (src/backend/9p).
//
// A request is answered at the kick, straight between guest memory and the host. Only what
// makes a file durable may take longer: the host says so, the chain is held, the others go
// on, and shareDone() finishes it. Such a reply is short and must fit into the first piece
// of the room for it.
//
// A restored machine's server knows no file of before: held requests are answered EIO.
import { Dev, DeviceKind } from "../../abi/device";
import { Gpa } from "../../abi/layout";
import { Virtio9p } from "../../abi/virtio";
import { shareRequest } from "../../host";
import { dmaWrite, inRam } from "../../memory/ram";
import { copyFromChain, cursorAddress, nextRun, seek } from "../virtio/chain";
import {
  VirtioDevice, chainAt, configAt, deviceAt, deviceIs, hostTag, interruptForQueue, needsReset, nextEpoch, privateAt, queueAt, queueLive,
} from "../virtio/device";
import { listPieces } from "../virtio/pieces";
import { headSound, pushUsed } from "../virtio/queue";
import { Served } from "../virtio/served";

/** Linux cuts a message of its largest size (500 KiB) into so many buffers. */
export const QUEUE_SIZE: u32 = 128;
export const CONFIG_SIZE: u32 = Virtio9p.CONFIG_SIZE;

/** Most pieces of one chain: it has at most as many buffers. */
const PIECES: u32 = 256;

/** Of any message: size u32, type u8, tag u16. And the reply that says no: those, and an error u32. */
const HEADER_BYTES: u32 = 7;
const ERROR_BYTES: u32 = 11;
const RLERROR: u8 = 7;
const EIO: u32 = 5;

/** What shareRequest answers for a reply that comes later. */
const LATER: i32 = -1;

const HELD: u32 = 32;

@unmanaged
export class Files {
  /** Chains held. */
  held: u32;
  /** The request's header while it is looked at. */
  size: u32;
  typeAndTag: u32;
}

const enum At {
  HELD = 0x40,
  HELD_SIZE = 16,
}

/** A chain that waits for the host. */
@unmanaged
class Held {
  /** Where the reply goes, as an offset in RAM, and the room there; no room: not in use. */
  replyAt: u32;
  room: u32;
  head: u32;
  /** Tag of the 9P message. */
  tag: u16;
}

// @ts-ignore: decorator
@inline
function filesOf(d: VirtioDevice): Files {
  return changetype<Files>(privateAt(d));
}

// @ts-ignore: decorator
@inline
function heldAt(d: VirtioDevice, index: u32): Held {
  return changetype<Held>(privateAt(d) + <usize>At.HELD + <usize>index * <usize>At.HELD_SIZE);
}

export function features(): u64 {
  return 1 << Virtio9p.F_MOUNT_TAG;
}

export function reset(d: VirtioDevice): void {
  forgetHeld(d);
}

export function canServe(d: VirtioDevice): bool {
  return filesOf(d).held < HELD;
}

export function serve(d: VirtioDevice): i64 {
  const c = chainAt(d);
  const f = filesOf(d);
  // Without room for any reply there is nothing to say.
  if (c.writableBytes < ERROR_BYTES || !copyFromChain(c, 0, changetype<usize>(f) + offsetof<Files>("size"), HEADER_BYTES)) {
    d.strays++;
    return 0;
  }
  const list: usize = Dev.SHARES;
  const readable = listPieces(c, false, list, PIECES);
  const writable = listPieces(c, true, list + (<usize>readable << 3), PIECES);
  let entry: u32 = 0;
  while (heldAt(d, entry).room != 0) entry++; // canServe() saw to it that one is free
  const written = shareRequest(d.backend, hostTag(d, entry), list, readable, writable);
  if (written == LATER) return hold(d, entry);
  return min(<u32>max(written, 0), c.writableBytes);
}

function hold(d: VirtioDevice, entry: u32): i64 {
  const c = chainAt(d);
  const f = filesOf(d);
  seek(c, true, 0, c.writableBytes);
  const address = cursorAddress(c);
  nextRun(c, c.writableBytes);
  const h = heldAt(d, entry);
  h.replyAt = <u32>(address - <u64>(<u32>Gpa.RAM));
  h.room = c.run;
  h.head = c.head;
  h.tag = <u16>(f.typeAndTag >> 8);
  f.held++;
  return Served.HELD;
}

/** Gives up every held chain: the host's answers for them will find another epoch. */
export function forgetHeld(d: VirtioDevice): void {
  const f = filesOf(d);
  if (f.held == 0) return;
  memory.fill(privateAt(d) + <usize>At.HELD, 0, <usize>(HELD * At.HELD_SIZE));
  f.held = 0;
  nextEpoch(d);
}

/**
 * The reply, `length` bytes at `address`, to a request that the host answered -1 to. False if nobody waits for it.
 * Requests that waited for room go on at the next virtioPoll().
 */
export function virtio9pDone(share: u32, tag: u32, address: usize, length: u32): bool {
  const index = (tag >> 8) & 0xff;
  const entry = tag & 0xff;
  if (!deviceIs(index, DeviceKind.VIRTIO_9P) || entry >= HELD) return false;
  const d = deviceAt(index);
  if (d.backend != share || tag != hostTag(d, entry) || heldAt(d, entry).room == 0) return false;
  finish(d, entry, address, length);
  return true;
}

function finish(d: VirtioDevice, entry: u32, address: usize, length: u32): void {
  const h = heldAt(d, entry);
  const head = h.head;
  const room = h.room;
  const replyAt = <u64>(<u32>Gpa.RAM) + h.replyAt;
  h.room = 0;
  filesOf(d).held--;
  if (!queueLive(d, 0)) return;
  if (length > room) length = 0;
  const q = queueAt(d, 0);
  const at = dmaWrite(replyAt, room);
  if (at == 0 || (memory.copy(at, address, length), !pushUsed(q, head, length))) needsReset(d);
  else interruptForQueue(d, q);
}

/** A restored device: the server that held its requests is gone. */
export function resume(d: VirtioDevice): void {
  if (filesOf(d).held == 0) return;
  nextEpoch(d);
  const reply = changetype<usize>(filesOf(d)) + offsetof<Files>("size");
  for (let entry: u32 = 0; entry < HELD; entry++) {
    const h = heldAt(d, entry);
    if (h.room == 0) continue;
    store<u32>(reply, ERROR_BYTES);
    store<u8>(reply, RLERROR, 4);
    store<u16>(reply, h.tag, 5);
    store<u32>(reply, EIO, 7);
    finish(d, entry, reply, ERROR_BYTES);
  }
}

export function validate(d: VirtioDevice): bool {
  let held: u32 = 0;
  for (let entry: u32 = 0; entry < HELD; entry++) {
    const h = heldAt(d, entry);
    if (h.room == 0) continue;
    held++;
    if (!headSound(queueAt(d, 0), h.head) || !inRam(<u64>(<u32>Gpa.RAM) + h.replyAt, h.room)) return false;
  }
  const tag = load<u16>(configAt(d), Virtio9p.CONFIG_TAG_LEN);
  return held == filesOf(d).held && tag <= <u16>Virtio9p.TAG_MAX;
}

/** Names the share for `mount`: up to 31 bytes, which are copied. Before the guest runs. */
export function virtio9pSetTag(instance: u32, address: usize, length: u32): bool {
  if (!deviceIs(instance, DeviceKind.VIRTIO_9P) || length == 0 || length > <u32>Virtio9p.TAG_MAX) return false;
  const config = configAt(deviceAt(instance));
  memory.fill(config, 0, CONFIG_SIZE);
  store<u16>(config, <u16>length, Virtio9p.CONFIG_TAG_LEN);
  memory.copy(config + <usize>Virtio9p.CONFIG_TAG, address, length);
  return true;
}
