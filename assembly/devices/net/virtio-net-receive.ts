// Frames to the driver (virtio 1.2, 5.1.6.3, 5.1.6.4): a header of 12 bytes, then the
// frame, in one chain or, with MRG_RXBUF, in as many as it takes.
//
// frameRoom() takes the chains and lists their memory for the host to fill;
// deliverFrame() writes the header and gives them back. Where there are too few, what was
// taken is put back by restoring the queue as it was: taking changes nothing else.
import { Dev } from "../../abi/device";
import { NetAt, NetHeader, NetRoom } from "../../abi/net";
import { VirtioNet } from "../../abi/virtio";
import { netReady } from "../../host";
import { nextRun, seek } from "../virtio/chain";
import { VirtioDevice, chainAt, interruptForQueue, needsReset, negotiated, queueAt, queueLive } from "../virtio/device";
import { Pop, VirtQueue, armNotification, popChain, pushUsed } from "../virtio/queue";
import { pairOfFlow } from "./flows";
import { inAdd, inBegin, inList } from "./pieces";
import { netOf } from "./virtio-net";
import { wanted } from "./virtio-net-filter";

const TAKEN: usize = <usize>Dev.NET + <usize>NetAt.TAKEN;
const SAVED: usize = <usize>Dev.NET + <usize>NetAt.SAVED_QUEUE;
const HEADER_IN: usize = <usize>Dev.NET + <usize>NetAt.HEADER_IN;
const HEADER_PIECES: usize = <usize>Dev.NET + <usize>NetAt.HEADER_PIECES;

// Between frameRoom() and deliverFrame(), which nothing comes between.
let takenQueue: u32 = 0;
let takenCount: u32 = 0;

/** The queue for the frame that begins at NetAt.PEEK. */
function steer(d: VirtioDevice): u32 {
  const active = netOf(d).activePairs;
  if (active == 1) return 0;
  const pair = pairOfFlow(d.backend);
  return pair < active && queueLive(d, 2 * pair) ? 2 * pair : 0;
}

/** Room for a frame of `length` bytes: the list of its pieces, or NetRoom. */
export function frameRoom(d: VirtioDevice, length: u32): usize {
  const queue = steer(d);
  if (!queueLive(d, queue) || !wanted(d)) return NetRoom.LOST;
  const q = queueAt(d, queue);
  memory.copy(SAVED, changetype<usize>(q), offsetof<VirtQueue>());
  takenQueue = queue;
  // Buffers that come while we look are looked for again, though not for ever.
  for (let tries: u32 = 0; tries < q.size; tries++) {
    const answer = take(d, q, length + NetHeader.SIZE);
    if (answer == Taken.ALL) return inList();
    // Asked here, behind all that there is: there may be some, only not enough.
    const arrived = answer == Taken.FEW && armNotification(q);
    restoreQueue(q);
    if (answer == Taken.BROKEN) needsReset(d);
    if (answer != Taken.FEW) return NetRoom.LOST;
    if (!arrived) break;
  }
  netOf(d).starved |= 1 << (queue >> 1);
  return NetRoom.NONE;
}

/** The queue as it was, but for what the driver has been told. */
function restoreQueue(q: VirtQueue): void {
  const told = q.usedFlags;
  memory.copy(changetype<usize>(q), SAVED, offsetof<VirtQueue>());
  q.usedFlags = told;
  takenCount = 0;
}

const enum Taken {
  ALL = 0,
  /** More chains are needed than there are. */
  FEW = 1,
  /** What chains there may be can never hold the frame. */
  TOO_SMALL = 2,
  BROKEN = 3,
}

/** Takes chains for `bytes` bytes, header and frame. */
function take(d: VirtioDevice, q: VirtQueue, bytes: u32): Taken {
  const c = chainAt(d);
  const mergeable = negotiated(d, VirtioNet.F_MRG_RXBUF);
  inBegin();
  takenCount = 0;
  let left = bytes;
  while (left != 0) {
    if (takenCount == <u32>NetAt.MAX_TAKEN) return Taken.TOO_SMALL;
    const pop = popChain(q, c);
    if (pop == Pop.EMPTY) return Taken.FEW;
    if (pop == Pop.BROKEN || c.writableBytes == 0) return Taken.BROKEN;
    let offset: u32 = 0;
    if (takenCount == 0) {
      if (!placeHeader(d)) return Taken.BROKEN;
      offset = NetHeader.SIZE;
    }
    const room = min(c.writableBytes, left);
    if (room < left && !mergeable) return Taken.TOO_SMALL;
    seek(c, true, offset, room - offset);
    for (let at = nextRun(c, room); at != 0; at = nextRun(c, room)) {
      if (!inAdd(at, c.run)) return Taken.TOO_SMALL;
    }
    const entry = TAKEN + ((<usize>takenCount) << 3);
    store<u32>(entry, c.head);
    store<u32>(entry, room, 4);
    takenCount++;
    left -= room;
  }
  return Taken.ALL;
}

/** Notes where the header goes. False if the first chain is no room for it. */
function placeHeader(d: VirtioDevice): bool {
  const c = chainAt(d);
  if (!seek(c, true, 0, NetHeader.SIZE)) return false;
  let count: u32 = 0;
  for (let at = nextRun(c, NetHeader.SIZE); at != 0; at = nextRun(c, NetHeader.SIZE)) {
    const piece = HEADER_PIECES + 8 + ((<usize>count) << 3);
    store<u32>(piece, <u32>at);
    store<u32>(piece, c.run, 4);
    count++;
  }
  store<u32>(HEADER_PIECES, count);
  return true;
}

/** The room that frameRoom() took is filled: gives it to the driver. `header` is HEADER_IN, filled in, or 0. */
export function deliverFrame(d: VirtioDevice, header: usize): void {
  if (takenCount == 0) return;
  const q = queueAt(d, takenQueue);
  if (header != HEADER_IN) memory.fill(HEADER_IN, 0, NetHeader.SIZE);
  store<u16>(HEADER_IN, <u16>takenCount, NetHeader.NUM_BUFFERS);
  let from = HEADER_IN;
  for (let i: u32 = 0; i < load<u32>(HEADER_PIECES); i++) {
    const piece = HEADER_PIECES + 8 + (<usize>i << 3);
    const length = load<u32>(piece, 4);
    memory.copy(load<u32>(piece), from, length);
    from += length;
  }
  for (let i: u32 = 0; i < takenCount; i++) {
    const entry = TAKEN + (<usize>i << 3);
    if (pushUsed(q, load<u32>(entry), load<u32>(entry, 4))) continue;
    needsReset(d);
    break;
  }
  takenCount = 0;
  interruptForQueue(d, q);
}

/** The driver has left buffers in a receive queue: frames that wait for them may come. */
export function roomAdded(d: VirtioDevice, queue: u32): void {
  const bit: u32 = 1 << (queue >> 1);
  if ((netOf(d).starved & bit) == 0) return;
  netOf(d).starved &= ~bit;
  netReady(d.backend);
}
