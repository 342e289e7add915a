// virtio socket device (virtio 1.2, 5.10): packets between the guest's AF_VSOCK sockets and
// the host. Queues: 0 packets to the driver, 1 packets from it, 2 events. The device moves
// packets; connections and credit are the host's affair (src/backend/vsock).
//
// Packets to the guest wait at the host until the driver has posted a buffer: vsockRoom()
// takes one, the host fills it, vsockGive() gives it. Nothing else may run in between.
//
// Left out: seqpacket and datagram sockets.
import { Dev, DeviceKind } from "../../abi/device";
import { VirtioVsock, VsockHeader } from "../../abi/virtio";
import { vsockPacket, vsockReady, vsockReset } from "../../host";
import { copyToChain } from "../virtio/chain";
import { VirtioDevice, chainAt, configAt, deviceAt, deviceIs, privateAt, queueLive } from "../virtio/device";
import { giveInput, inputGiven, takeRoom } from "../virtio/input";
import { listPieces } from "../virtio/pieces";

export const QUEUES: u32 = 3;
export const QUEUE_SIZE: u32 = 128;
export const CONFIG_SIZE: u32 = VirtioVsock.CONFIG_SIZE;

const EVENT_BYTES: u32 = 4;

/** Pieces of one packet, and where in the device's page the two directions have their lists. */
const PIECES: u32 = 255;
const enum List {
  FROM_GUEST = 0,
  TO_GUEST = 0x800, // {count u32, bytes u32}, then pieces
  TO_GUEST_PIECES = 0x808,
}

@unmanaged
export class Vsock {
  /** The driver is still to be told that all connections are gone. */
  resetDue: u32;
  /** Event being put together. */
  event: u32;
}

// @ts-ignore: decorator
@inline
function vsockOf(d: VirtioDevice): Vsock {
  return changetype<Vsock>(privateAt(d));
}

export function features(): u64 {
  return 1 << VirtioVsock.F_STREAM;
}

export function servedAtKick(queue: u32): bool {
  return queue == <u32>VirtioVsock.QUEUE_TX;
}

export function reset(d: VirtioDevice): void {
  vsockOf(d).resetDue = 0;
  vsockReset();
}

/** A packet from the driver. Longer ones than the list holds are cut, which the host sees by their length. */
export function serve(d: VirtioDevice): i64 {
  const c = chainAt(d);
  if (c.readableBytes < <u32>VsockHeader.SIZE) {
    d.strays++;
    return 0;
  }
  const list: usize = <usize>Dev.VSOCK + <usize>List.FROM_GUEST;
  vsockPacket(list, listPieces(c, false, list, PIECES));
  return 0;
}

export function roomAdded(d: VirtioDevice, queue: u32): void {
  if (queue == <u32>VirtioVsock.QUEUE_RX) vsockReady();
  else if (queue == <u32>VirtioVsock.QUEUE_EVENT) tellReset(d);
}

/** Takes a buffer of `queue`; if there is none, asks to be notified of the next. */
function takeOrAsk(d: VirtioDevice, queue: u32, bytes: u32): bool {
  if (takeRoom(d, queue, bytes)) return true;
  return queueLive(d, queue) && inputGiven(d, queue, true) && takeRoom(d, queue, bytes);
}

/** Connections did not survive a restore: the driver ends them when it is told (5.10.6.7). */
function tellReset(d: VirtioDevice): void {
  const v = vsockOf(d);
  const queue: u32 = VirtioVsock.QUEUE_EVENT;
  if (v.resetDue == 0 || !takeOrAsk(d, queue, EVENT_BYTES)) return;
  v.event = VirtioVsock.EVENT_TRANSPORT_RESET;
  v.resetDue = 0;
  copyToChain(chainAt(d), 0, changetype<usize>(v) + offsetof<Vsock>("event"), EVENT_BYTES);
  giveInput(d, queue, EVENT_BYTES);
  inputGiven(d, queue, false);
}

export function resume(d: VirtioDevice): void {
  vsockOf(d).resetDue = 1;
  tellReset(d);
}

export function validate(d: VirtioDevice): bool {
  return vsockOf(d).resetDue <= 1;
}

// ---- what the host calls ----

/** The guest's address, 3 or more. Before the guest runs. */
export function vsockSetCid(instance: u32, cid: u32): bool {
  if (!deviceIs(instance, DeviceKind.VIRTIO_VSOCK)) return false;
  store<u64>(configAt(deviceAt(instance)), cid, VirtioVsock.CONFIG_GUEST_CID);
  return true;
}

/** True while the driver can be given packets. */
export function vsockUp(instance: u32): bool {
  return deviceIs(instance, DeviceKind.VIRTIO_VSOCK) && queueLive(deviceAt(instance), VirtioVsock.QUEUE_RX);
}

/**
 * Room for a packet: address of {count u32, bytes u32, then count pieces {address u32, length u32}}, at least a header's
 * size, or 0: there is none, and vsockReady() tells when there is. Must be followed by vsockGive().
 */
export function vsockRoom(instance: u32): usize {
  if (!deviceIs(instance, DeviceKind.VIRTIO_VSOCK)) return 0;
  const d = deviceAt(instance);
  if (!takeOrAsk(d, VirtioVsock.QUEUE_RX, VsockHeader.SIZE)) return 0;
  const list: usize = <usize>Dev.VSOCK + <usize>List.TO_GUEST;
  const count = listPieces(chainAt(d), true, <usize>Dev.VSOCK + <usize>List.TO_GUEST_PIECES, PIECES);
  store<u32>(list, count);
  store<u32>(list, chainAt(d).writableBytes, 4);
  return list;
}

/** The room that vsockRoom() gave holds `length` bytes of a packet. */
export function vsockGive(instance: u32, length: u32): void {
  if (!deviceIs(instance, DeviceKind.VIRTIO_VSOCK)) return;
  const d = deviceAt(instance);
  giveInput(d, VirtioVsock.QUEUE_RX, min(length, chainAt(d).writableBytes));
  inputGiven(d, VirtioVsock.QUEUE_RX, false);
}
