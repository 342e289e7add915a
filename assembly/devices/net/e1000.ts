// Intel 82540EM and 82574L, gigabit Ethernet controllers on PCI: how they are attached,
// reset, reached and restored. e1000-state.ts names the specifications and what lies where.
//
// What the driver gives is sent at its write to TDT, and what the host brings is received
// when it comes, as far as there are buffers; only interrupts may come later, as the driver
// sets their moderation. There is no wire: no collisions, no errors, no flow control.
import { DeviceKind } from "../../abi/device";
import { NetOffload } from "../../abi/net";
import { ticks } from "../../clock";
import { DeviceSlot } from "../../abi/hypercall";
import { netReady } from "../../host";
import { mayServe } from "../../hypercall/devices";
import { Pci, functionAt } from "../pci/function";
import { interruptReset, timersDue } from "./e1000-interrupt";
import { nvmInit, nvmMacHigh, nvmMacLow } from "./e1000-nvm";
import { Bar, addE1000Function, kindOf } from "./e1000-pci";
import { phyReset, updateLink } from "./e1000-phy";
import { deliver, hasRoomAgain, holds, listening, takeRoom } from "./e1000-receive";
import { Consequence, readRegister, writeRegister } from "./e1000-registers";
import {
  Ctrl, E1000, Limit, Model, NEVER, SCALING_SIZE, STATISTICS_SIZE, addressesAt, controllerAt, is82574, multicastAt, scalingAt,
  statisticsAt, vlansAt,
} from "./e1000-state";
import { transmit } from "./e1000-transmit";
import { bindPort, linkUp, portSound } from "./port";

const STATE_SIZE: usize = 0x1000;
const ADDRESS_VALID: u32 = 1 << 31;
const VLAN_TYPE: u32 = 0x8100;
/** In the I/O BAR: the register's number, and the register. */
const IOADDR: u32 = 0;
const IODATA: u32 = 4;

/** Takes all controllers away; before devices are attached. */
export function e1000Init(): void {
  for (let i: u32 = 0; i < <u32>Limit.CONTROLLERS; i++) memory.fill(changetype<usize>(controllerAt(i)), 0, STATE_SIZE);
}

/**
 * Puts controller `instance` (0 to 3) into an empty PCI slot, as network port `port`; `model` 0 is the 82540EM, 1 the
 * 82574L; the MAC address is `macLow`'s four bytes, low first, then `macHigh`'s two. After pciInit(), before
 * pciReset(). False if something is taken.
 */
export function attachE1000(slot: u32, instance: u32, model: u32, port: u32, macLow: u32, macHigh: u32): bool {
  if (instance >= <u32>Limit.CONTROLLERS || slot == 0 || slot >= <u32>Pci.SLOTS || model > <u32>Model.E82574L) return false;
  const s = controllerAt(instance);
  if (s.attached != 0 || functionAt(slot).kind != <u32>DeviceKind.NONE) return false;
  memory.fill(changetype<usize>(s), 0, STATE_SIZE);
  s.slot = slot;
  s.model = model;
  if (!bindPort(port, kindOf(s), instance)) return false;
  s.attached = 1;
  s.port = port;
  s.instance = instance;
  s.macLow = macLow;
  s.macHigh = macHigh & 0xffff;
  s.wire = linkUp(port) ? 1 : 0;
  addE1000Function(s);
  e1000Reset(instance);
  return true;
}

/** Power-on state; the port stays. */
export function e1000Reset(instance: u32): void {
  const s = controllerAt(instance);
  if (s.attached == 0) return;
  nvmInit(s);
  resetController(s);
  phyReset(s);
  s.ledctl = 0;
  s.extcnfCtrl = 0;
  s.swsm = 0;
  s.swsm2 = 0;
  s.rxRefused = 0;
  updateLinkQuietly(s);
}

/** A reset by CTRL.RST (14.9), which leaves the transceiver alone. */
function resetController(s: E1000): void {
  const instance = s.instance;
  const start = offsetof<E1000>("ctrl");
  const swsm = s.swsm;
  const swsm2 = s.swsm2;
  const extcnf = s.extcnfCtrl;
  const ledctl = s.ledctl;
  const refused = s.rxRefused;
  memory.fill(changetype<usize>(s) + start, 0, offsetof<E1000>() - start);
  memory.fill(statisticsAt(s), 0, STATISTICS_SIZE);
  memory.fill(addressesAt(s), 0, <usize>Limit.ADDRESSES << 3);
  memory.fill(multicastAt(s), 0, 0x200);
  memory.fill(vlansAt(s), 0, 0x200);
  memory.fill(scalingAt(s), 0, SCALING_SIZE);
  s.instance = instance;
  s.swsm = swsm;
  s.swsm2 = swsm2;
  s.extcnfCtrl = extcnf;
  s.ledctl = ledctl;
  s.rxRefused = refused; // the host waits to hear of room all the same
  s.ctrl = Ctrl.FD | Ctrl.ASDE | Ctrl.SLU | Ctrl.SPEED_1000;
  s.vet = VLAN_TYPE;
  s.pba = is82574(s) ? 0x0014_0014 : 0x0010_0030;
  s.eeOut = 1;
  interruptReset(s);
  store<u32>(addressesAt(s), nvmMacLow(s));
  store<u32>(addressesAt(s), nvmMacHigh(s) | ADDRESS_VALID, 4);
}

/** The link is as it is; that is nothing new to tell. */
function updateLinkQuietly(s: E1000): void {
  updateLink(s);
  s.icr = 0;
}

// --- the driver's accesses ---

export function e1000Read(instance: u32, bar: u32, offset: u32, size: u32): u64 {
  const s = controllerAt(instance);
  if (bar == <u32>Bar.REGISTERS) {
    if (size == 4) return readRegister(s, offset);
    if (size == 8) return <u64>readRegister(s, offset) | (<u64>readRegister(s, offset + 4) << 32);
    return 0;
  }
  if (bar != <u32>Bar.IO || size != 4) return 0;
  if (offset == IOADDR) return s.ioAddress;
  return offset == IODATA && reachable(s) ? readRegister(s, s.ioAddress) : 0;
}

/** Registers are 32 bits wide; narrower accesses are strays. */
export function e1000Write(instance: u32, bar: u32, offset: u32, size: u32, value: u64): void {
  const s = controllerAt(instance);
  if (bar == <u32>Bar.REGISTERS) {
    if (size < 4) return;
    write(s, offset, <u32>value);
    if (size == 8) write(s, offset + 4, <u32>(value >> 32));
  } else if (bar == <u32>Bar.IO && size == 4) {
    if (offset == IOADDR) s.ioAddress = <u32>value;
    else if (offset == IODATA && reachable(s)) write(s, s.ioAddress, <u32>value);
  }
}

/** IOADDR names a register. */
function reachable(s: E1000): bool {
  return s.ioAddress < <u32>Bar.REGISTERS_SIZE && (s.ioAddress & 3) == 0;
}

function write(s: E1000, offset: u32, value: u32): void {
  switch (writeRegister(s, offset, value)) {
    case Consequence.FRAMES:
      transmit(s);
      break;
    case Consequence.BUFFERS:
      offerRoom(s);
      break;
    case Consequence.TRAFFIC:
      if (s.tdh != s.tdt) transmit(s);
      offerRoom(s);
      break;
    case Consequence.RESET:
      resetController(s);
      updateLinkQuietly(s);
      break;
  }
}

/** Tells the host that a frame it could not deliver may find room now. */
function offerRoom(s: E1000): void {
  if (hasRoomAgain(s)) netReady(s.port);
}

// --- the host's calls, see ports.ts ---

export function e1000Offloads(instance: u32): i32 {
  return listening(controllerAt(instance)) ? <i32>NetOffload.CHECKSUM : -1;
}

export function e1000Room(instance: u32, length: u32): usize {
  return takeRoom(controllerAt(instance), length);
}

export function e1000Holds(instance: u32, frames: u32, length: u32): bool {
  return holds(controllerAt(instance), frames, length);
}

export function e1000Deliver(instance: u32, header: usize): void {
  deliver(controllerAt(instance), header);
}

export function e1000Link(instance: u32): void {
  const s = controllerAt(instance);
  s.wire = linkUp(s.port) ? 1 : 0;
  updateLink(s);
  // This may be inside netSend(), so what waited for the link is sent later.
  if (s.tdh != s.tdt) s.txWork = 1;
  offerRoom(s);
}

// --- what goes on by itself ---

/** Goes on with frames that a write to TDT left. */
export function e1000Poll(): void {
  for (let i: u32 = 0; i < <u32>Limit.CONTROLLERS; i++) {
    const s = controllerAt(i);
    if (s.txWork != 0) transmit(s);
  }
}

/** True if e1000Poll() would find something to do. */
export function e1000HasWork(): bool {
  for (let i: u32 = 0; i < <u32>Limit.CONTROLLERS; i++) {
    const s = controllerAt(i);
    if (s.txWork != 0 && mayServe(DeviceSlot.NET + s.port)) return true;
  }
  return false;
}

/** The earliest tick at which e1000Update() has something to do, ~0 if none. */
export function e1000Deadline(): u64 {
  let earliest = NEVER;
  for (let i: u32 = 0; i < <u32>Limit.CONTROLLERS; i++) {
    const s = controllerAt(i);
    if (s.attached != 0) earliest = min(earliest, s.deadline);
  }
  return earliest;
}

/** Fires what is due. */
export function e1000Update(): void {
  if (e1000Deadline() == NEVER) return;
  const now = ticks();
  for (let i: u32 = 0; i < <u32>Limit.CONTROLLERS; i++) {
    const s = controllerAt(i);
    if (s.attached != 0 && s.deadline <= now) timersDue(s, now);
  }
}

/** After a restore; changes nothing. Indices that a driver writes are checked where they are used. */
export function e1000Validate(instance: u32): bool {
  const s = controllerAt(instance);
  if (s.attached == 0) return true;
  return (
    s.attached == 1 &&
    s.instance == instance &&
    s.model <= <u32>Model.E82574L &&
    s.slot < <u32>Pci.SLOTS &&
    functionAt(s.slot).kind == <u32>kindOf(s) &&
    functionAt(s.slot).instance == instance &&
    portSound(s.port, kindOf(s), instance) &&
    s.wire <= 1 &&
    s.linkUp <= 1 &&
    s.asserted <= 1 &&
    s.rxTaken == 0 &&
    s.eeAddress <= <u32>Limit.NVM_WORDS &&
    s.vectorsWaiting >> <u32>Limit.VECTORS == 0 &&
    s.deadline == min(min(min(s.rxDelay, s.rxAbsolute), min(s.txDelay, s.txAbsolute)), s.throttle)
  );
}
