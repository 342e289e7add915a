// What the host does with a port arrives at the device that the port is.
//
// Frames into the guest cross without a copy in between: netRoom() takes buffers of the
// driver's and says where they lie, the host fills them, netDeliver() gives them back to
// the driver. Nothing else may be called between the two.
import { DeviceKind } from "../../abi/device";
import { DeviceSlot } from "../../abi/hypercall";
import { NET_FRAME_MAX, NET_PORTS, NetRoom } from "../../abi/net";
import { netReady } from "../../host";
import { mayServe, noteHeld, served } from "../../hypercall/devices";
import { e1000Deliver, e1000Holds, e1000Link, e1000Offloads, e1000Room } from "./e1000";
import { NetPort, netPort } from "./port";
import { virtioNetDeliver, virtioNetLink, virtioNetOffloads, virtioNetRoom } from "./virtio-net";

const HEADER_MIN: u32 = 14;

/** NetOffload bits that frames into the guest may leave undone; -1 while the driver does not listen, or the link is down. */
export function netOffloads(port: u32): i32 {
  if (port >= <u32>NET_PORTS) return -1;
  const p = netPort(port);
  if (p.up == 0) return -1;
  switch (p.kind) {
    case DeviceKind.E1000:
    case DeviceKind.E1000E: return e1000Offloads(p.instance);
    case DeviceKind.VIRTIO_NET: return virtioNetOffloads(p.instance);
    default: return -1;
  }
}

/**
 * Takes room for a frame of `length` bytes: address of {count u32, reserved u32} and the pieces, or NetRoom. The frame's
 * first bytes are at NetAt.PEEK: a device that filters or steers looks at them there.
 */
export function netRoom(port: u32, length: u32): usize {
  if (port >= <u32>NET_PORTS || length < HEADER_MIN || length > <u32>NET_FRAME_MAX) return NetRoom.LOST;
  const p = netPort(port);
  if (p.up == 0) return NetRoom.LOST;
  const slot = <u32>DeviceSlot.NET_RECEIVE + port;
  if (!mayServe(slot)) {
    // Counted once a frame, however often the host offers it.
    if (p.held == 0) noteHeld(slot);
    p.held = 1;
    return NetRoom.NONE;
  }
  const list = deviceRoom(p, length);
  // What the device cannot take is lost or comes again, and costs nothing.
  if (list != <usize>NetRoom.NONE && list != <usize>NetRoom.LOST) served(slot, length);
  return list;
}

function deviceRoom(p: NetPort, length: u32): usize {
  switch (p.kind) {
    case DeviceKind.E1000:
    case DeviceKind.E1000E: return e1000Room(p.instance, length);
    case DeviceKind.VIRTIO_NET: return virtioNetRoom(p.instance, length);
    default: return NetRoom.LOST;
  }
}

/**
 * Is it worth beginning with `frames` frames of `length` bytes each? False: netReady() will say when; true does not mean
 * that there is room for all of them.
 */
export function netHolds(port: u32, frames: u32, length: u32): bool {
  if (port >= <u32>NET_PORTS) return true;
  const p = netPort(port);
  switch (p.kind) {
    case DeviceKind.E1000:
    case DeviceKind.E1000E: return e1000Holds(p.instance, frames, length);
    default: return true;
  }
}

/** Frames that were held for a budget may come, where there is something left of it. */
export function netPoll(): void {
  for (let port: u32 = 0; port < <u32>NET_PORTS; port++) {
    const p = netPort(port);
    if (p.held == 0 || !mayServe(<u32>DeviceSlot.NET_RECEIVE + port)) continue;
    p.held = 0;
    netReady(port);
  }
}

/** The pieces that netRoom() gave are filled; `header` is the address of 12 bytes, or 0 for a finished frame. */
export function netDeliver(port: u32, header: usize): void {
  if (port >= <u32>NET_PORTS) return;
  const p = netPort(port);
  switch (p.kind) {
    case DeviceKind.E1000:
    case DeviceKind.E1000E: e1000Deliver(p.instance, header); break;
    case DeviceKind.VIRTIO_NET: virtioNetDeliver(p.instance, header); break;
    default: break;
  }
}

/** The wire is plugged in, or pulled out. */
export function netLink(port: u32, up: u32): void {
  if (port >= <u32>NET_PORTS) return;
  const p = netPort(port);
  const now: u32 = up != 0 ? 1 : 0;
  if (p.up == now) return;
  p.up = now;
  switch (p.kind) {
    case DeviceKind.E1000:
    case DeviceKind.E1000E: e1000Link(p.instance); break;
    case DeviceKind.VIRTIO_NET: virtioNetLink(p.instance); break;
    default: break;
  }
}
