// The controller's registers (3.1 and 3.3), its reset, and the interrupt. Registers are written
// as dwords or qwords; narrower writes are strays.
import { setIntx } from "../pci/intx";
import { signatureFrame } from "./ahci-frames";
import { mayWait, waited } from "./moderation";
import { forget, linkUp, resetDrive, serve, setLink, stop } from "./ahci-port";
import {
  Ata, Cmd, Det, IE_WRITABLE, IS_CLEARABLE, Is, Limit, Link, PortState, Serr, hbaState, online, portAt, taskfileOf, Taskfile,
} from "./ahci-state";

/** Generic registers. */
const enum Reg {
  CAP = 0x00,
  GHC = 0x04,
  IS = 0x08,
  PI = 0x0c,
  VS = 0x10,
  PORTS = 0x100,
  PORT_SIZE = 0x80,
}

/** A port's. */
const enum Px {
  CLB = 0x00,
  CLBU = 0x04,
  FB = 0x08,
  FBU = 0x0c,
  IS = 0x10,
  IE = 0x14,
  CMD = 0x18,
  TFD = 0x20,
  SIG = 0x24,
  SSTS = 0x28,
  SCTL = 0x2c,
  SERR = 0x30,
  SACT = 0x34,
  CI = 0x38,
}

const enum Ghc {
  RESET = 1 << 0,
  INTERRUPTS = 1 << 1,
  AHCI = 1 << 31,
}

/**
 * CAP: 64-bit addresses (31), queued commands (30), command list override (24), 3 Gb/s (23:20),
 * AHCI only (18), PIO in blocks of several sectors (15), Slumber and Partial (14:13), 32 slots
 * (12:8), 6 ports (4:0).
 */
const CAP: u32 = 0xc124_e000 | ((Limit.SLOTS - 1) << 8) | (Limit.PORTS - 1);
const VERSION: u32 = 0x0001_0301;
/** PxSSTS of a drive that is there, at 3 Gb/s; the link's state goes into bits 11:8. */
const LINK_UP: u32 = 0x023;
const IPM_SHIFT: u32 = 8;
const LINK_OFFLINE: u32 = 0x004;

/** GHC.HR (10.4.3): all but the lists' addresses. */
export function resetController(slot: u32): void {
  const h = hbaState();
  h.ghc = <u32>Ghc.AHCI;
  h.is = 0;
  for (let i: u32 = 0; i < <u32>Limit.PORTS; i++) {
    const p = portAt(i);
    if (p.attached == 0) continue;
    forget(p);
    p.cmd = 0;
    stop(p);
    resetDrive(p, true);
    p.is = 0;
    p.ie = 0;
    p.waits = 0;
    waited(p.backend);
    p.sctl = 0;
    p.serr = 0;
    memory.fill(changetype<usize>(taskfileOf(p)), 0, offsetof<Taskfile>());
    linkUp(p);
  }
  setIntx(slot, false);
}

// --- the interrupt ---

/** PxIS; two of its bits show PxSERR's. */
function interruptStatus(p: PortState): u32 {
  let value = p.is;
  if ((p.serr & <u32>Serr.EXCHANGED) != 0) value |= Is.PCS;
  if ((p.serr & <u32>Serr.PHYRDY_CHANGE) != 0) value |= Is.PRCS;
  return value;
}

/** IS keeps a port's bit until the driver clears it, and has it again if there still is a cause (10.7.2). */
export function updateInterrupt(p: PortState): void {
  const h = hbaState();
  const cause = interruptStatus(p) & p.ie;
  // Nothing but the end of queued commands may wait.
  if (cause != <u32>Is.SDBS) p.waits = 0;
  if (cause != 0 && p.waits == 0) h.is |= 1 << p.number;
  setIntx(h.slot, h.is != 0 && (h.ghc & <u32>Ghc.INTERRUPTS) != 0);
}

function updateInterrupts(): void {
  for (let i: u32 = 0; i < <u32>Limit.PORTS; i++) {
    if (portAt(i).attached != 0) updateInterrupt(portAt(i));
  }
}

// --- registers ---

export function ahciRead(offset: u32, size: u32): u64 {
  const low = readRegister(offset & ~3);
  if (size == 8) return <u64>low | (<u64>readRegister(offset + 4) << 32);
  const value = low >> ((offset & 3) << 3);
  return size == 4 ? value : value & ((1 << (size << 3)) - 1);
}

function readRegister(offset: u32): u32 {
  const h = hbaState();
  const inPorts = offset - <u32>Reg.PORTS;
  const number = inPorts / <u32>Reg.PORT_SIZE;
  if (offset >= <u32>Reg.PORTS && number < <u32>Limit.PORTS) {
    return portAt(number).attached != 0 ? readPort(portAt(number), inPorts % <u32>Reg.PORT_SIZE) : 0;
  }
  switch (offset) {
    case Reg.CAP:
      return CAP;
    case Reg.GHC:
      return h.ghc;
    case Reg.IS:
      return h.is;
    case Reg.PI:
      return h.ports;
    case Reg.VS:
      return VERSION;
    default:
      return 0;
  }
}

function readPort(p: PortState, offset: u32): u32 {
  switch (offset) {
    case Px.CLB:
      return <u32>p.clb;
    case Px.CLBU:
      return <u32>(p.clb >> 32);
    case Px.FB:
      return <u32>p.fb;
    case Px.FBU:
      return <u32>(p.fb >> 32);
    case Px.IS:
      return interruptStatus(p);
    case Px.IE:
      return p.ie;
    case Px.CMD: {
      let value = p.cmd | <u32>(Cmd.SUD | Cmd.POD);
      if ((p.cmd & <u32>Cmd.ST) != 0) value |= Cmd.CR;
      if ((p.cmd & <u32>Cmd.FRE) != 0) value |= Cmd.FR;
      return value;
    }
    case Px.TFD:
      return p.tfd;
    case Px.SIG:
      return p.sig;
    case Px.SSTS:
      return online(p) ? LINK_UP | (p.link << IPM_SHIFT) : (p.sctl & 0xf) == <u32>Det.OFFLINE ? LINK_OFFLINE : 0;
    case Px.SCTL:
      return p.sctl;
    case Px.SERR:
      return p.serr;
    case Px.SACT:
      return p.sact;
    case Px.CI:
      return p.ci;
    default:
      return 0;
  }
}

export function ahciWrite(offset: u32, size: u32, value: u64): void {
  if (size < 4) return;
  writeRegister(offset, <u32>value);
  if (size == 8) writeRegister(offset + 4, <u32>(value >> 32));
}

function writeRegister(offset: u32, value: u32): void {
  const h = hbaState();
  const inPorts = offset - <u32>Reg.PORTS;
  const number = inPorts / <u32>Reg.PORT_SIZE;
  if (offset >= <u32>Reg.PORTS && number < <u32>Limit.PORTS) {
    const p = portAt(number);
    if (p.attached == 0) return;
    writePort(p, inPorts % <u32>Reg.PORT_SIZE, value);
    updateInterrupt(p);
  } else if (offset == <u32>Reg.GHC) {
    if ((value & <u32>Ghc.RESET) != 0) resetController(h.slot);
    else h.ghc = <u32>Ghc.AHCI | (value & <u32>Ghc.INTERRUPTS);
    updateInterrupts();
  } else if (offset == <u32>Reg.IS) {
    h.is &= ~value;
    updateInterrupts();
  }
}

function writePort(p: PortState, offset: u32, value: u32): void {
  switch (offset) {
    case Px.CLB:
      p.clb = (p.clb & 0xffff_ffff_0000_0000) | (value & ~0x3ff);
      break;
    case Px.CLBU:
      p.clb = (p.clb & 0xffff_ffff) | (<u64>value << 32);
      break;
    case Px.FB:
      p.fb = (p.fb & 0xffff_ffff_0000_0000) | (value & ~0xff);
      break;
    case Px.FBU:
      p.fb = (p.fb & 0xffff_ffff) | (<u64>value << 32);
      break;
    case Px.IS:
      p.is &= ~(value & IS_CLEARABLE);
      break;
    case Px.IE:
      p.ie = value & IE_WRITABLE;
      break;
    case Px.CMD:
      control(p, value);
      break;
    case Px.SCTL:
      setLink(p, value);
      break;
    case Px.SERR:
      p.serr &= ~value;
      break;
    case Px.SACT:
      if ((p.cmd & <u32>Cmd.ST) != 0) p.sact |= value;
      break;
    case Px.CI:
      if ((p.cmd & <u32>Cmd.ST) == 0) break;
      p.ci |= value;
      issued(p);
      break;
  }
}

/** Serves commands. If they are queued ones and no interrupt is out, theirs may wait. */
function issued(p: PortState): void {
  const quiet = p.waits != 0 || ((interruptStatus(p) & p.ie) == 0 && (hbaState().is & (1 << p.number)) == 0);
  const outstanding = p.sact;
  serve(p);
  if (quiet && p.sact != outstanding && (p.is & p.ie & <u32>Is.SDBS) != 0) p.waits = mayWait(p.backend) ? 1 : 0;
}

/** The interrupt of the port that waited goes out. */
export function sendWaiting(p: PortState): void {
  p.waits = 0;
  waited(p.backend);
  updateInterrupt(p);
}

function control(p: PortState, value: u32): void {
  const before = p.cmd;
  p.cmd = (before & <u32>Cmd.CCS) | (value & <u32>Cmd.WRITABLE);
  if ((before & ~value & <u32>Cmd.ST) != 0) stop(p);
  // Command list override: the driver knows better than the drive (3.3.7).
  if ((value & <u32>Cmd.CLO) != 0) p.tfd &= ~(<u32>(Ata.BSY | Ata.DRQ));
  signatureFrame(p);
  if (online(p)) setLinkState(p, value >> <u32>Cmd.ICC_SHIFT);
}

/** PxCMD.ICC: Partial and Slumber if PxSCTL.IPM does not forbid them. A command wakes the link by itself. */
function setLinkState(p: PortState, state: u32): void {
  const forbidden = p.sctl >> IPM_SHIFT;
  if (state == <u32>Link.ACTIVE) p.link = Link.ACTIVE;
  else if (state == <u32>Link.PARTIAL && (forbidden & 1) == 0) p.link = Link.PARTIAL;
  else if (state == <u32>Link.SLUMBER && (forbidden & 2) == 0) p.link = Link.SLUMBER;
}
