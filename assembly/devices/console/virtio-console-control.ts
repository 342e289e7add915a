// Control messages of a virtio console with several ports (virtio 1.2, 5.3.6.2). What the
// device has to say is kept as one bit a message and port until the driver has posted a
// buffer for it, so nothing is lost and nothing piles up. The dialogue:
//
//   driver                      device
//   DEVICE_READY 1         ->
//                          <-   PORT_ADD, for each port
//   PORT_READY 1, a port   ->
//                          <-   CONSOLE_PORT and RESIZE, or PORT_NAME; PORT_OPEN 1
//   PORT_OPEN 0 or 1       ->   someone in the guest closed or opened the port
//
// RESIZE carries columns, then rows. Linux before 6.15 takes them the other way round;
// a device attached with VirtioAttach.RESIZE_ROWS_FIRST suits it.
import { VirtioAttach, VirtioConsole } from "../../abi/virtio";
import { copyFromChain, copyToChain } from "../virtio/chain";
import { VirtioDevice, chainAt, configAt, queueLive } from "../virtio/device";
import { giveInput, inputGiven, takeRoom } from "../virtio/input";
import { PORTS, bodyAt, messageAt, multiport, nameAt, portAt, serialOf } from "./virtio-console";

/** Messages to come for a port; the lowest goes first. */
export const enum Pending {
  ADD = 1,
  CONSOLE = 2,
  RESIZE = 4,
  NAME = 8,
  OPEN = 16,
  ALL = 31,
}

const MESSAGE_BYTES: u32 = 8;
const RESIZE_BYTES: u32 = 4;

/** Has something to say about `port`: now, or as soon as there is a buffer. */
export function announce(d: VirtioDevice, port: u32, what: u32): void {
  if (serialOf(d).ready == 0) return; // DEVICE_READY will ask for all of it
  const p = portAt(d, port);
  p.pending = p.pending | <u8>what;
  deliverControl(d);
}

/** The driver's message is in the device's chain. */
export function controlReceived(d: VirtioDevice): void {
  if (!multiport(d) || !copyFromChain(chainAt(d), 0, messageAt(d), MESSAGE_BYTES)) {
    d.strays++;
    return;
  }
  const s = serialOf(d);
  const port = s.messageId;
  const on = s.messageValue == 1;
  if (s.messageEvent == <u16>VirtioConsole.DEVICE_READY) {
    s.ready = on ? 1 : 0;
    for (let i: u32 = 0; i < PORTS; i++) portAt(d, i).pending = on && portAt(d, i).exists != 0 ? <u8>Pending.ADD : 0;
    deliverControl(d);
    return;
  }
  if (port >= PORTS || portAt(d, port).exists == 0) {
    d.strays++;
    return;
  }
  const p = portAt(d, port);
  switch (<u32>s.messageEvent) {
    case VirtioConsole.PORT_READY: {
      p.ready = on ? 1 : 0;
      if (!on) {
        p.guestOpen = 0;
        p.pending = 0;
      } else {
        announce(d, port, Pending.OPEN | (p.isConsole != 0 ? Pending.CONSOLE | Pending.RESIZE : 0) | (p.nameLength != 0 ? Pending.NAME : 0));
      }
      break;
    }
    case VirtioConsole.PORT_OPEN: {
      p.guestOpen = on ? 1 : 0;
      break;
    }
    default: {
      d.strays++;
      break;
    }
  }
}

/** Delivers as many messages as there are buffers for. */
export function deliverControl(d: VirtioDevice): void {
  const queue: u32 = VirtioConsole.QUEUE_CONTROL_RX;
  if (!queueLive(d, queue) || !multiport(d)) return;
  let delivered = false;
  for (let port: u32 = 0; port < PORTS; port++) {
    const p = portAt(d, port);
    while (p.pending != 0) {
      if (!takeRoom(d, queue, MESSAGE_BYTES + RESIZE_BYTES)) {
        // Ask for a kick; if a buffer came in between, go on after all.
        if (inputGiven(d, queue, true) && queueLive(d, queue)) continue;
        return;
      }
      const bit = ctz<u32>(p.pending);
      p.pending = p.pending & ~(<u8>1 << <u8>bit);
      const c = chainAt(d);
      const length = min(compose(d, port, 1 << bit), c.writableBytes);
      copyToChain(c, 0, messageAt(d), length);
      giveInput(d, queue, length);
      delivered = true;
    }
  }
  if (delivered) inputGiven(d, queue, false);
}

/** Puts a message into the state; its length. */
function compose(d: VirtioDevice, port: u32, what: u32): u32 {
  const s = serialOf(d);
  s.messageId = port;
  s.messageValue = 1;
  switch (what) {
    case Pending.ADD: {
      s.messageEvent = <u16>VirtioConsole.PORT_ADD;
      return MESSAGE_BYTES;
    }
    case Pending.CONSOLE: {
      s.messageEvent = <u16>VirtioConsole.CONSOLE_PORT;
      return MESSAGE_BYTES;
    }
    case Pending.RESIZE: {
      s.messageEvent = <u16>VirtioConsole.RESIZE;
      const cols = load<u16>(configAt(d), VirtioConsole.CONFIG_COLS);
      const rows = load<u16>(configAt(d), VirtioConsole.CONFIG_ROWS);
      const rowsFirst = (d.flags & <u32>VirtioAttach.RESIZE_ROWS_FIRST) != 0;
      store<u16>(bodyAt(d), rowsFirst ? rows : cols);
      store<u16>(bodyAt(d), rowsFirst ? cols : rows, 2);
      return MESSAGE_BYTES + RESIZE_BYTES;
    }
    case Pending.NAME: {
      s.messageEvent = <u16>VirtioConsole.PORT_NAME;
      const length: u32 = portAt(d, port).nameLength;
      memory.copy(bodyAt(d), nameAt(d, port), length);
      return MESSAGE_BYTES + length;
    }
    default: {
      s.messageEvent = <u16>VirtioConsole.PORT_OPEN;
      return MESSAGE_BYTES;
    }
  }
}
