// virtio console device (virtio 1.2, 5.3) with several ports: port 0 is the console
// (Linux: hvc0), the others are named serial ports. Queues:
//
//   0 and 1  input and output of port 0        2 and 3  control to and from the driver
//   2n+2 and 2n+3  input and output of port n from 1
//
// Output goes to the host at the kick, straight from guest memory. Input waits at the
// host until the driver has posted a buffer: virtioConsoleInput() takes what fits.
// Control messages are in virtio-console-control.ts. What the host sets (names, which
// ports exist, size) outlives a reset of the device.
//
// Left out: removal of ports.
import { ConsolePort, DeviceKind } from "../../abi/device";
import { VirtioConsole } from "../../abi/virtio";
import { consoleOut } from "../../host";
import { copyToChain, nextRun, seek } from "../virtio/chain";
import {
  VirtioDevice, chainAt, configAt, configChanged, deviceAt, deviceIs, negotiated, privateAt, queueAt, queueLive,
} from "../virtio/device";
import { Served } from "../virtio/served";
import { hasAvailable } from "../virtio/queue";
import { giveInput, inputGiven, takeRoom } from "../virtio/input";
import { Pending, announce, controlReceived, deliverControl } from "./virtio-console-control";

export const PORTS: u32 = ConsolePort.VIRTIO_PORTS;
export const QUEUES: u32 = 2 * PORTS + 2;
export const QUEUE_SIZE: u32 = 64;
export const CONFIG_SIZE: u32 = VirtioConsole.CONFIG_SIZE;

/** Longest name of a port. */
export const NAME_MAX: u32 = 31;

/** Most bytes of one run of output: what the host may have to buffer at once. */
const RUN_BYTES: u32 = 64 << 10;

@unmanaged
export class Port {
  /** Set by the host: the port exists, is a console, has a name of this many bytes. */
  exists: u8;
  isConsole: u8;
  nameLength: u8;
  reserved: u8;
  /** Set by the driver: the port is ready for use, is open in the guest. */
  ready: u8;
  guestOpen: u8;
  /** Control messages that wait for a buffer: Pending bits. */
  pending: u8;
}

@unmanaged
export class Serial {
  /** The driver said DEVICE_READY. */
  ready: u32;
  /** One control message being put together or taken apart. */
  messageId: u32;
  messageEvent: u16;
  messageValue: u16;
}

const enum At {
  MESSAGE = 4,
  MESSAGE_BODY = 12, // up to a name's length behind the message
  PORTS = 0x40,
  PORT_SIZE = 48,
  NAME = 16,
}

// @ts-ignore: decorator
@inline
export function serialOf(d: VirtioDevice): Serial {
  return changetype<Serial>(privateAt(d));
}

/** Host address of the control message in the state, header and body. */
// @ts-ignore: decorator
@inline
export function messageAt(d: VirtioDevice): usize {
  return privateAt(d) + <usize>At.MESSAGE;
}

// @ts-ignore: decorator
@inline
export function bodyAt(d: VirtioDevice): usize {
  return privateAt(d) + <usize>At.MESSAGE_BODY;
}

// @ts-ignore: decorator
@inline
export function portAt(d: VirtioDevice, port: u32): Port {
  return changetype<Port>(privateAt(d) + <usize>At.PORTS + <usize>port * <usize>At.PORT_SIZE);
}

// @ts-ignore: decorator
@inline
export function nameAt(d: VirtioDevice, port: u32): usize {
  return changetype<usize>(portAt(d, port)) + <usize>At.NAME;
}

// @ts-ignore: decorator
@inline
export function multiport(d: VirtioDevice): bool {
  return negotiated(d, VirtioConsole.F_MULTIPORT);
}

function inputQueue(port: u32): u32 {
  return port == 0 ? 0 : 2 * port + 2;
}

/** Port whose data `queue` carries; not for the control queues. */
function portOfQueue(queue: u32): u32 {
  return queue < 2 ? 0 : (queue - 2) >> 1;
}

export function features(d: VirtioDevice): u64 {
  return (1 << VirtioConsole.F_SIZE) | (1 << VirtioConsole.F_MULTIPORT) | (1 << VirtioConsole.F_EMERG_WRITE);
}

export function attached(d: VirtioDevice): void {
  const first = portAt(d, 0);
  first.exists = 1;
  first.isConsole = 1;
  store<u16>(configAt(d), 80, VirtioConsole.CONFIG_COLS);
  store<u16>(configAt(d), 25, VirtioConsole.CONFIG_ROWS);
  store<u32>(configAt(d), PORTS, VirtioConsole.CONFIG_MAX_NR_PORTS);
}

export function reset(d: VirtioDevice): void {
  memory.fill(privateAt(d), 0, <usize>At.PORTS);
  for (let port: u32 = 0; port < PORTS; port++) {
    const p = portAt(d, port);
    p.ready = 0;
    p.guestOpen = 0;
    p.pending = 0;
  }
}

/** Emergency output works at any time, also before the driver has set anything up (5.3.4). */
export function configWritten(d: VirtioDevice, offset: u32, value: u64): void {
  if (offset != <u32>VirtioConsole.CONFIG_EMERG_WR) {
    d.strays++;
    return;
  }
  const at = bodyAt(d);
  store<u8>(at, <u8>value);
  consoleOut(ConsolePort.VIRTIO, at, 1);
}

export function serve(d: VirtioDevice, queue: u32): i64 {
  const c = chainAt(d);
  if (queue == <u32>VirtioConsole.QUEUE_CONTROL_TX) {
    controlReceived(d);
    return 0;
  }
  const port = portOfQueue(queue);
  if (portAt(d, port).exists == 0) return 0;
  if (!seek(c, false, 0, c.readableBytes)) return Served.BROKEN;
  for (let address = nextRun(c, RUN_BYTES); address != 0; address = nextRun(c, RUN_BYTES)) {
    consoleOut(<u32>ConsolePort.VIRTIO + port, address, c.run);
  }
  return 0;
}

export function roomAdded(d: VirtioDevice, queue: u32): void {
  if (queue == <u32>VirtioConsole.QUEUE_CONTROL_RX) deliverControl(d);
}

// ---- what the host calls ----

/** The console device at `instance`, or null. */
function consoleAt(instance: u32): VirtioDevice | null {
  return deviceIs(instance, DeviceKind.VIRTIO_CONSOLE) ? deviceAt(instance) : null;
}

/** Makes port `port` exist, as a console or a serial port with a name of up to 31 bytes, which are copied. */
export function virtioConsoleSetPort(instance: u32, port: u32, isConsole: bool, nameAddress: usize, nameLength: u32): bool {
  const d = consoleAt(instance);
  if (d == null || port >= PORTS || nameLength > NAME_MAX) return false;
  const p = portAt(d, port);
  const known = p.exists != 0;
  p.exists = 1;
  p.isConsole = isConsole ? 1 : 0;
  p.nameLength = <u8>nameLength;
  memory.fill(nameAt(d, port), 0, NAME_MAX + 1);
  memory.copy(nameAt(d, port), nameAddress, nameLength);
  if (!known) announce(d, port, Pending.ADD);
  return true;
}

/** True if input for `port` would be taken now. */
export function virtioConsoleInputReady(instance: u32, port: u32): bool {
  const d = consoleAt(instance);
  return d != null && acceptsInput(d, port) && hasAvailable(queueAt(d, inputQueue(port)));
}

/** A serial port that nobody in the guest has open would lose what it is given, so it takes nothing. */
function acceptsInput(d: VirtioDevice, port: u32): bool {
  if (port >= PORTS || portAt(d, port).exists == 0 || !queueLive(d, inputQueue(port))) return false;
  return multiport(d) ? portAt(d, port).guestOpen != 0 : port == 0;
}

/** Puts bytes at host address `address` into the driver's buffers. Bytes taken: keep the rest and try again. */
export function virtioConsoleInput(instance: u32, port: u32, address: usize, length: u32): u32 {
  const d = consoleAt(instance);
  if (d == null || length == 0 || !acceptsInput(d, port)) return 0;
  const queue = inputQueue(port);
  let taken: u32 = 0;
  while (taken < length && takeRoom(d, queue, 1)) {
    const c = chainAt(d);
    const part = min(length - taken, c.writableBytes);
    copyToChain(c, 0, address + taken, part);
    giveInput(d, queue, part);
    taken += part;
  }
  if (taken != 0) inputGiven(d, queue, false);
  return taken;
}

/** True while something in the guest has the port open. */
export function virtioConsoleGuestOpen(instance: u32, port: u32): bool {
  const d = consoleAt(instance);
  return d != null && port < PORTS && portAt(d, port).guestOpen != 0;
}

/** The host's terminal has another size. */
export function virtioConsoleResize(instance: u32, cols: u32, rows: u32): void {
  const d = consoleAt(instance);
  if (d == null) return;
  const config = configAt(d);
  if (load<u16>(config, VirtioConsole.CONFIG_COLS) == <u16>cols && load<u16>(config, VirtioConsole.CONFIG_ROWS) == <u16>rows) return;
  store<u16>(config, <u16>cols, VirtioConsole.CONFIG_COLS);
  store<u16>(config, <u16>rows, VirtioConsole.CONFIG_ROWS);
  if (negotiated(d, VirtioConsole.F_SIZE)) configChanged(d);
  for (let port: u32 = 0; port < PORTS; port++) {
    if (portAt(d, port).isConsole != 0 && portAt(d, port).ready != 0) announce(d, port, Pending.RESIZE);
  }
}

export function validate(d: VirtioDevice): bool {
  if (serialOf(d).ready > 1) return false;
  for (let port: u32 = 0; port < PORTS; port++) {
    const p = portAt(d, port);
    if ((p.exists | p.isConsole | p.ready | p.guestOpen) > 1) return false;
    if (<u32>p.nameLength > NAME_MAX || <u32>p.pending > <u32>Pending.ALL) return false;
  }
  return true;
}
