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
import { Virtio9p } from "../../abi/virtio";
import { shareRequest } from "../../host";
import { copyFromChain, cursorAddress, nextRun, seek } from "../virtio/chain";
import {
  VirtioDevice, chainAt, configAt, deviceAt, deviceIs, hostTag, nextEpoch, privateAt,
} from "../virtio/device";
import { HELD, HeldState, entryOf, forgetHeld, freeEntry, giveBack, heldAt, heldCount, heldSound, hold, holderOf } from "../virtio/held";
import { listPieces } from "../virtio/pieces";
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

@unmanaged
export class Files {
  /** The request's header while it is looked at. */
  size: u32;
  typeAndTag: u32;
}

// @ts-ignore: decorator
@inline
function filesOf(d: VirtioDevice): Files {
  return changetype<Files>(privateAt(d));
}

export function features(): u64 {
  return 1 << Virtio9p.F_MOUNT_TAG;
}

export function reset(d: VirtioDevice): void {
  forgetHeld(d);
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
  const entry = freeEntry(d);
  const written = shareRequest(d.backend, hostTag(d, entry), list, readable, writable);
  if (written == LATER) return holdReply(d, entry);
  return min(<u32>max(written, 0), c.writableBytes);
}

/** The reply comes later, to the first piece of the room for it. */
function holdReply(d: VirtioDevice, entry: u32): i64 {
  const c = chainAt(d);
  seek(c, true, 0, c.writableBytes);
  const address = cursorAddress(c);
  nextRun(c, c.writableBytes);
  hold(d, entry, 0, c.head, address, c.run, (filesOf(d).typeAndTag >> 8) & 0xffff);
  return Served.HELD;
}

/**
 * The reply, `length` bytes at `address`, to a request that the host answered -1 to. False if nobody waits for it.
 * Requests that waited for room go on at the next virtioPoll().
 */
export function virtio9pDone(share: u32, tag: u32, address: usize, length: u32): bool {
  const d = holderOf(tag, DeviceKind.VIRTIO_9P);
  if (d == null || d.backend != share) return false;
  finish(d, entryOf(tag), address, length);
  return true;
}

function finish(d: VirtioDevice, entry: u32, address: usize, length: u32): void {
  if (length > heldAt(d, entry).room) length = 0;
  giveBack(d, entry, address, length, length);
}

/** A restored device: the server that held its requests is gone. */
export function resume(d: VirtioDevice): void {
  if (heldCount(d) == 0) return;
  nextEpoch(d);
  const reply = changetype<usize>(filesOf(d)) + offsetof<Files>("size");
  for (let entry: u32 = 0; entry < HELD; entry++) {
    const h = heldAt(d, entry);
    if (h.state == <u8>HeldState.FREE) continue;
    store<u32>(reply, ERROR_BYTES);
    store<u8>(reply, RLERROR, 4);
    store<u16>(reply, h.note, 5);
    store<u32>(reply, EIO, 7);
    finish(d, entry, reply, ERROR_BYTES);
  }
}

export function validate(d: VirtioDevice): bool {
  const tag = load<u16>(configAt(d), Virtio9p.CONFIG_TAG_LEN);
  return heldSound(d, 1) && tag <= <u16>Virtio9p.TAG_MAX;
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
