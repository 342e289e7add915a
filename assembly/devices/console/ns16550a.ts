// NS16550A UART (National Semiconductor PC16550D data sheet, section 8), byte registers.
//
//   offset  read           write          with LCR.DLAB
//   0       RBR            THR            DLL
//   1       IER            IER            DLM
//   2       IIR            FCR
//   3       LCR  4 MCR  5 LSR  6 MSR  7 SCR
//
// A byte written to THR is gone at once, so THR and transmitter are always empty; what a
// driver sees of that is the THRE interrupt, which is edge-like: raised when THR empties
// or when it is enabled while THR is empty, taken back by reading IIR. Received bytes
// below the trigger level raise the character timeout at once: the host's input does not
// trickle in at a baud rate, so whatever has arrived is all there is for now.
//
// Left out: parity, framing and break, which this line never has; OUT2 does not gate the
// interrupt, as on other boards without a PC's wiring. Overrun can only happen in loopback,
// for input waits with the host while the FIFO is full.
import { DeviceSlot } from "../../abi/hypercall";
import { isBudgeted, mayServe, noteHeld, served } from "../../hypercall/devices";
import { ConsolePort, Dev } from "../../abi/device";
import { Irq } from "../../abi/memory-map";
import { consoleOut } from "../../host";
import { raiseIrq } from "../irqchip/raise";

const enum Reg {
  RBR_THR = 0,
  IER = 1,
  IIR_FCR = 2,
  LCR = 3,
  MCR = 4,
  LSR = 5,
  MSR = 6,
  SCR = 7,
}

const enum Ier {
  RECEIVED = 1,
  THR_EMPTY = 2,
  LINE_STATUS = 4,
  MODEM_STATUS = 8,
  ALL = 15,
}

const enum Iir {
  MODEM_STATUS = 0x00,
  NONE = 0x01,
  THR_EMPTY = 0x02,
  RECEIVED = 0x04,
  LINE_STATUS = 0x06,
  TIMEOUT = 0x0c,
  FIFOS = 0xc0,
}

const enum Fcr {
  ENABLE = 0x01,
  CLEAR_RX = 0x02,
  CLEAR_TX = 0x04,
  KEPT = 0xc9, // enable, DMA mode, trigger level
}

const LCR_DLAB: u32 = 0x80;
const MCR_LOOPBACK: u32 = 0x10;
const MCR_ALL: u32 = 0x1f;

const enum Lsr {
  DATA_READY = 0x01,
  OVERRUN = 0x02,
  THR_EMPTY = 0x20,
  TRANSMITTER_EMPTY = 0x40,
}

const enum Msr {
  DELTA_CTS = 0x01,
  DELTA_DSR = 0x02,
  TRAILING_EDGE_RI = 0x04,
  DELTA_DCD = 0x08,
  CTS = 0x10,
  DSR = 0x20,
  RI = 0x40,
  DCD = 0x80,
}

/** A terminal that is there: clear to send, data set ready, carrier. */
const CONNECTED: u32 = Msr.CTS | Msr.DSR | Msr.DCD;

const RX_SIZE: u32 = 16;
const TX_SIZE: u32 = 256;
/** Ends a line, which goes to the host at once. */
const LINE_FEED: u8 = 0x0a;

@unmanaged
export class Ns16550a {
  ier: u32;
  fcr: u32;
  lcr: u32;
  mcr: u32;
  msr: u32;
  scr: u32;
  divisor: u32;
  overrun: u32;
  /** THRE interrupt raised and not yet taken back. */
  thrPending: u32;
  rxHead: u32;
  rxCount: u32;
  /** Bytes in the output buffer, which the host has not seen. */
  txCount: u32;
  /** Reads of LSR that found no data since the driver last sent or set something up. */
  polls: u32;
}

/** A driver that reads LSR this often in a row waits for input; one that sends reads it about once a byte. */
const LISTENING_POLLS: u32 = 16;

export const UARTS: u32 = 2;

/** From a port's state on. */
const RX_BUFFER: usize = 0x40;
const TX_BUFFER: usize = 0x100;

// @ts-ignore: decorator
@inline
function state(port: u32): Ns16550a {
  return changetype<Ns16550a>(<usize>Dev.UART + <usize>port * <usize>Dev.UART_SIZE);
}

// @ts-ignore: decorator
@inline
function rxAt(s: Ns16550a, index: u32): usize {
  return changetype<usize>(s) + RX_BUFFER + <usize>(index & (RX_SIZE - 1));
}

// @ts-ignore: decorator
@inline
function isConsole(s: Ns16550a): bool {
  return changetype<usize>(s) == <usize>Dev.UART;
}

export function uartReset(): void {
  for (let port: u32 = 0; port < UARTS; port++) resetPort(state(port));
}

function resetPort(s: Ns16550a): void {
  flush(s);
  memory.fill(changetype<usize>(s), 0, TX_BUFFER + TX_SIZE);
  s.msr = CONNECTED;
  s.divisor = 12; // 9600 baud of a 1.8432 MHz clock
  updateIrq(s);
}

/** Hands buffered output to the host: at a line's end, when the buffer is full, and when a slice ends. */
function flush(s: Ns16550a): void {
  if (s.txCount == 0) return;
  consoleOut(isConsole(s) ? ConsolePort.UART : ConsolePort.SERIAL, changetype<usize>(s) + TX_BUFFER, s.txCount);
  s.txCount = 0;
}

export function uartFlushAll(): void {
  for (let port: u32 = 0; port < UARTS; port++) flush(state(port));
}

/** How many input bytes fit now. */
export function uartRxRoom(port: u32): u32 {
  return room(state(port));
}

function room(s: Ns16550a): u32 {
  if ((s.mcr & MCR_LOOPBACK) != 0) return 0;
  return rxCapacity(s) - s.rxCount;
}

/**
 * Whether the driver listens: it has room, and takes receive interrupts or polls. A
 * driver that starts up clears the FIFOs, and typing ahead of it would be lost.
 */
export function uartListens(port: u32): bool {
  const s = state(port);
  if (room(s) == 0) return false;
  return (s.ier & <u32>Ier.RECEIVED) != 0 || s.polls >= LISTENING_POLLS;
}

/** Takes input from `address`; gives the number of bytes accepted. */
export function uartInput(port: u32, address: usize, length: u32): u32 {
  const s = state(port);
  const accepted = min(length, room(s));
  for (let i: u32 = 0; i < accepted; i++) receive(s, load<u8>(address + i));
  updateIrq(s);
  return accepted;
}

function fifos(s: Ns16550a): bool {
  return (s.fcr & <u32>Fcr.ENABLE) != 0;
}

function rxCapacity(s: Ns16550a): u32 {
  return fifos(s) ? RX_SIZE : 1;
}

function receive(s: Ns16550a, byte: u8): void {
  if (s.rxCount >= rxCapacity(s)) {
    s.overrun = 1;
    return;
  }
  store<u8>(rxAt(s, s.rxHead + s.rxCount), byte);
  s.rxCount++;
}

function take(s: Ns16550a): u32 {
  if (s.rxCount == 0) return 0;
  const byte = load<u8>(rxAt(s, s.rxHead));
  s.rxHead = (s.rxHead + 1) & (RX_SIZE - 1);
  s.rxCount--;
  return byte;
}

function transmit(s: Ns16550a, byte: u8): void {
  if ((s.mcr & MCR_LOOPBACK) != 0) {
    receive(s, byte);
  } else if (!mayServe(DeviceSlot.CONSOLE)) {
    // The transmitter said that it is not empty: what is written all the same is lost, as in a 16550.
    noteHeld(DeviceSlot.CONSOLE);
    return;
  } else {
    served(DeviceSlot.CONSOLE, 1);
    store<u8>(changetype<usize>(s) + TX_BUFFER + s.txCount, byte);
    if (++s.txCount == TX_SIZE || byte == LINE_FEED) flush(s);
  }
  s.thrPending = 1;
}

/** FCR[7:6]: interrupt at 1, 4, 8 or 14 bytes. */
function trigger(s: Ns16550a): u32 {
  if (!fifos(s)) return 1;
  switch (s.fcr >> 6) {
    case 0:
      return 1;
    case 1:
      return 4;
    case 2:
      return 8;
    default:
      return 14;
  }
}

/** Is there budget for another byte? While there is none the transmitter is busy. */
// @ts-ignore: decorator
@inline
function transmits(): bool {
  return mayServe(DeviceSlot.CONSOLE);
}

/** Goes on with what waited for budget: a driver may wait for the transmitter. */
export function uartPoll(): void {
  if (!isBudgeted(DeviceSlot.CONSOLE)) return;
  for (let port: u32 = 0; port < UARTS; port++) updateIrq(state(port));
}

/** The interrupt of highest priority that is enabled and pending (data sheet, table IV). */
function interrupt(s: Ns16550a): u32 {
  if ((s.ier & <u32>Ier.LINE_STATUS) != 0 && s.overrun != 0) return Iir.LINE_STATUS;
  if ((s.ier & <u32>Ier.RECEIVED) != 0 && s.rxCount != 0) return s.rxCount >= trigger(s) ? Iir.RECEIVED : Iir.TIMEOUT;
  if ((s.ier & <u32>Ier.THR_EMPTY) != 0 && s.thrPending != 0 && transmits()) return Iir.THR_EMPTY;
  if ((s.ier & <u32>Ier.MODEM_STATUS) != 0 && (s.msr & 0xf) != 0) return Iir.MODEM_STATUS;
  return Iir.NONE;
}

function updateIrq(s: Ns16550a): void {
  raiseIrq(isConsole(s) ? Irq.UART : Irq.SERIAL, interrupt(s) != <u32>Iir.NONE);
}

export function uartRead(port: u32, offset: u32): u32 {
  const s = state(port);
  let value: u32 = 0;
  switch (offset) {
    case Reg.RBR_THR:
      if ((s.lcr & LCR_DLAB) != 0) return s.divisor & 0xff;
      value = take(s);
      break;
    case Reg.IER:
      return (s.lcr & LCR_DLAB) != 0 ? s.divisor >> 8 : s.ier;
    case Reg.IIR_FCR:
      value = interrupt(s);
      if (value == <u32>Iir.THR_EMPTY) s.thrPending = 0;
      if (fifos(s)) value |= Iir.FIFOS;
      break;
    case Reg.LCR:
      return s.lcr;
    case Reg.MCR:
      return s.mcr;
    case Reg.LSR:
      value = transmits() ? Lsr.THR_EMPTY | Lsr.TRANSMITTER_EMPTY : 0;
      if (s.rxCount != 0) value |= Lsr.DATA_READY;
      else if (s.polls < LISTENING_POLLS) s.polls++;
      if (s.overrun == 0) return value;
      value |= Lsr.OVERRUN;
      s.overrun = 0;
      break;
    case Reg.MSR:
      value = s.msr;
      s.msr &= 0xf0;
      break;
    case Reg.SCR:
      return s.scr;
    default:
      return 0;
  }
  updateIrq(s);
  return value;
}

export function uartWrite(port: u32, offset: u32, value: u32): void {
  const s = state(port);
  value &= 0xff;
  s.polls = 0;
  switch (offset) {
    case Reg.RBR_THR:
      if ((s.lcr & LCR_DLAB) != 0) s.divisor = (s.divisor & 0xff00) | value;
      else transmit(s, <u8>value);
      break;
    case Reg.IER:
      if ((s.lcr & LCR_DLAB) != 0) {
        s.divisor = (s.divisor & 0xff) | (value << 8);
      } else {
        if ((value & ~s.ier & <u32>Ier.THR_EMPTY) != 0) s.thrPending = 1;
        s.ier = value & <u32>Ier.ALL;
      }
      break;
    case Reg.IIR_FCR:
      setFifoControl(s, value);
      break;
    case Reg.LCR:
      s.lcr = value;
      break;
    case Reg.MCR:
      s.mcr = value & MCR_ALL;
      setModemLines(s, (value & MCR_LOOPBACK) != 0 ? loopedLines(value) : CONNECTED);
      break;
    case Reg.SCR:
      s.scr = value;
      break;
  }
  updateIrq(s);
}

/** Turning the FIFOs on or off empties them; the other bits count only with ENABLE set. */
function setFifoControl(s: Ns16550a, value: u32): void {
  const switched = ((value ^ s.fcr) & <u32>Fcr.ENABLE) != 0;
  if (switched || (value & <u32>Fcr.CLEAR_RX) != 0) {
    s.rxHead = 0;
    s.rxCount = 0;
  }
  if (switched || (value & <u32>Fcr.CLEAR_TX) != 0) s.thrPending = 1;
  s.fcr = (value & <u32>Fcr.ENABLE) != 0 ? value & <u32>Fcr.KEPT : 0;
}

/** In loopback DTR, RTS, OUT1, OUT2 (MCR 0 to 3) come back as DSR, CTS, RI, DCD. */
function loopedLines(mcr: u32): u32 {
  return ((mcr & 1) << 5) | ((mcr & 2) << 3) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
}

function setModemLines(s: Ns16550a, lines: u32): void {
  const changed = (s.msr ^ lines) & 0xf0;
  let delta = (s.msr & 0xf) | ((changed >> 4) & <u32>(Msr.DELTA_CTS | Msr.DELTA_DSR | Msr.DELTA_DCD));
  if ((changed & s.msr & <u32>Msr.RI) != 0) delta |= Msr.TRAILING_EDGE_RI;
  s.msr = lines | delta;
}

export function uartValidate(): bool {
  for (let port: u32 = 0; port < UARTS; port++) {
    if (!portSound(state(port))) return false;
  }
  return true;
}

function portSound(s: Ns16550a): bool {
  return (
    s.rxHead < RX_SIZE &&
    s.rxCount <= rxCapacity(s) &&
    s.txCount < TX_SIZE &&
    s.divisor <= 0xffff &&
    (s.ier | s.fcr | s.lcr | s.mcr | s.msr | s.scr) <= 0xff
  );
}
