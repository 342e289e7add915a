// Interrupts: causes and masks (13.4.17 to 13.4.22; 82574 10.2.4), their moderation, and
// the ways out, a pin or MSI-X vectors.
//
// Moderation has two stages. A frame's cause may wait for a delay timer, which each frame
// starts anew, with an absolute timer as its limit (RDTR and RADV, TIDV and TADV, units of
// 1.024 us). Whatever cause is there, the pin is not asserted again before ITR x 256 ns
// have passed since it last was; each vector has an EITR of its own. All of it runs on the
// guest's clock, see timer/deadline.ts.
import { ticks } from "../../clock";
import { setIntx } from "../pci/intx";
import { msixEnabled, raiseMsix } from "../pci/msix";
import { CtrlExt, E1000, Limit, NEVER, eitrAt, eitrLastAt, is82574 } from "./e1000-state";
import { Stat, count } from "./e1000-statistics";

export const enum Cause {
  TXDW = 1 << 0,
  TXQE = 1 << 1,
  LSC = 1 << 2,
  RXDMT0 = 1 << 4,
  RXT0 = 1 << 7,
  MDAC = 1 << 9,
  SRPD = 1 << 16,
  /** 82574: what vectors are for, see IVAR. */
  RXQ0 = 1 << 20,
  TXQ0 = 1 << 22,
  OTHER = 1 << 24,
  INT_ASSERTED = 1 << 31,
  ALL_8254X = 0x0001_ffff,
  ALL_82574 = 0x01ff_ffff,
}

/** Those that the vector for other causes is for (82574 7.4.2). */
const OTHER_CAUSES: u32 = Cause.LSC | Cause.MDAC | Cause.SRPD | (1 << 6) | (1 << 17) | (1 << 18);
const FIRST_QUEUE_CAUSE: u32 = 20;

/** IVAR: four bits each for RxQ0, RxQ1, TxQ0, TxQ1, other; the vector, and whether it is valid. */
const VALID: u32 = 8;
/** IVAR: a transmit queue's cause is set at every write-back, whatever delay the descriptor asks for. */
const EVERY_WRITE_BACK: u32 = 1 << 31;

/** Bit 31 of RDTR and TIDV: the timer ends now. */
const FLUSH: u32 = 1 << 31;

export function interruptReset(s: E1000): void {
  s.icr = 0;
  s.ims = 0;
  s.iam = 0;
  s.itr = 0;
  s.ivar = 0;
  s.eiac = 0;
  s.vectorsWaiting = 0;
  for (let v: u32 = 0; v < <u32>Limit.VECTORS; v++) {
    store<u32>(eitrAt(s, v), 0);
    store<u64>(eitrLastAt(s, v), 0);
  }
  s.itrLast = 0;
  s.rdtr = 0;
  s.radv = 0;
  s.tidv = 0;
  s.tadv = 0;
  s.rxDelay = NEVER;
  s.rxAbsolute = NEVER;
  s.txDelay = NEVER;
  s.txAbsolute = NEVER;
  s.throttle = NEVER;
  s.deadline = NEVER;
  s.asserted = 0;
  setIntx(s.slot, false);
}

function updateDeadline(s: E1000): void {
  s.deadline = min(min(min(s.rxDelay, s.rxAbsolute), min(s.txDelay, s.txAbsolute)), s.throttle);
}

/** Units of 256 ns to ticks. */
// @ts-ignore: decorator
@inline
function throttleTicks(interval: u32): u64 {
  return <u64>(interval & 0xffff) * 64 / 25;
}

/** Units of 1.024 us to ticks. */
// @ts-ignore: decorator
@inline
function delayTicks(delay: u32): u64 {
  return <u64>(delay & 0xffff) * 256 / 25;
}

// --- causes and masks ---

/** Something happened. */
export function setCause(s: E1000, causes: u32): void {
  if (is82574(s) && (causes & OTHER_CAUSES) != 0) causes |= <u32>Cause.OTHER;
  s.icr |= causes;
  if (msixEnabled(s.slot)) sendVectors(s, causes);
  else updatePin(s);
}

export function setLinkCause(s: E1000): void {
  setCause(s, Cause.LSC);
}

function known(s: E1000): u32 {
  return is82574(s) ? <u32>Cause.ALL_82574 : <u32>Cause.ALL_8254X;
}

/**
 * Reading ICR takes the causes back. On the 82574 only if it interrupted, or nothing is unmasked; with CTRL_EXT.IAME
 * reading masks what IAM says.
 */
export function readIcr(s: E1000): u32 {
  const value = s.icr;
  if (!is82574(s)) {
    s.icr = 0;
    updatePin(s);
    return value;
  }
  const interrupted = msixEnabled(s.slot) ? (value & s.ims) != 0 : s.asserted != 0;
  if (!interrupted && s.ims != 0) return value;
  s.icr = 0;
  if (interrupted) autoMask(s);
  updatePin(s);
  return interrupted ? value | <u32>Cause.INT_ASSERTED : value;
}

export function writeIcr(s: E1000, value: u32): void {
  s.icr &= ~value;
  if (is82574(s)) autoMask(s);
  updatePin(s);
}

function autoMask(s: E1000): void {
  if ((s.ctrlExt & <u32>CtrlExt.IAME) != 0) s.ims &= ~s.iam;
}

export function writeIcs(s: E1000, value: u32): void {
  setCause(s, value & known(s));
}

export function writeIms(s: E1000, value: u32): void {
  const fresh = value & known(s);
  s.ims |= fresh;
  if (msixEnabled(s.slot)) sendVectors(s, fresh);
  else updatePin(s);
}

export function writeImc(s: E1000, value: u32): void {
  s.ims &= ~value;
  updatePin(s);
}

export function writeItr(s: E1000, value: u32): void {
  s.itr = value & 0xffff;
  updatePin(s);
}

// --- the pin ---

/** The pin is high while an unmasked cause is there, from when the throttle allows on. */
export function updatePin(s: E1000): void {
  if ((s.icr & s.ims) == 0 || msixEnabled(s.slot)) {
    if (s.asserted != 0) {
      s.asserted = 0;
      setIntx(s.slot, false);
    }
    if (s.vectorsWaiting == 0 && s.throttle != NEVER) {
      s.throttle = NEVER;
      updateDeadline(s);
    }
    return;
  }
  if (s.asserted != 0) return;
  if (s.itr != 0) {
    const now = ticks();
    const next = s.itrLast + throttleTicks(s.itr);
    if (now < next) {
      if (s.throttle != next) {
        s.throttle = next;
        updateDeadline(s);
      }
      return;
    }
    s.itrLast = now;
  }
  if (s.throttle != NEVER) {
    s.throttle = NEVER;
    updateDeadline(s);
  }
  s.asserted = 1;
  count(s, Stat.IAC, 1);
  setIntx(s.slot, true);
}

// --- vectors ---

/** Vector of the queue cause `which`, 0 to 4, or Limit.VECTORS if none is allotted. */
function vectorOf(s: E1000, which: u32): u32 {
  const allotted = (s.ivar >> (which << 2)) & 0xf;
  const vector = allotted & 7;
  return (allotted & VALID) != 0 && vector < <u32>Limit.VECTORS ? vector : <u32>Limit.VECTORS;
}

/** Sends the vectors of those of `causes` that are set and unmasked. */
function sendVectors(s: E1000, causes: u32): void {
  const due = (causes & s.icr & s.ims) >> FIRST_QUEUE_CAUSE;
  if (due == 0) return;
  for (let which: u32 = 0; which < <u32>Limit.VECTORS; which++) {
    const vector = vectorOf(s, which);
    if (((due >> which) & 1) != 0 && vector < <u32>Limit.VECTORS) s.vectorsWaiting |= 1 << vector;
  }
  sendWaiting(s);
}

/** Sends the vectors that wait, as far as their throttles allow. */
function sendWaiting(s: E1000): void {
  let next = NEVER;
  if (s.vectorsWaiting != 0) {
    const now = ticks();
    for (let v: u32 = 0; v < <u32>Limit.VECTORS; v++) {
      if (((s.vectorsWaiting >> v) & 1) == 0) continue;
      const interval = load<u32>(eitrAt(s, v));
      const ready = load<u64>(eitrLastAt(s, v)) + throttleTicks(interval);
      if (interval != 0 && now < ready) {
        next = min(next, ready);
        continue;
      }
      store<u64>(eitrLastAt(s, v), now);
      s.vectorsWaiting &= ~(1 << v);
      send(s, v);
    }
  }
  if (next != s.throttle) {
    s.throttle = next;
    updateDeadline(s);
  }
}

/** A vector goes out: its causes are cleared where EIAC says so, masked where IAM does and CTRL_EXT.EIAME is set (82574 7.4.3). */
function send(s: E1000, vector: u32): void {
  let causes: u32 = 0;
  for (let which: u32 = 0; which < <u32>Limit.VECTORS; which++) {
    if (vectorOf(s, which) == vector) causes |= 1 << (FIRST_QUEUE_CAUSE + which);
  }
  if ((causes & s.icr & s.ims) == 0) return; // masked, or taken back, while it waited
  s.icr &= ~(s.eiac & causes);
  if ((s.ctrlExt & <u32>CtrlExt.EIAME) != 0) s.ims &= ~(s.iam & causes);
  count(s, Stat.IAC, 1);
  raiseMsix(s.slot, vector);
}

// --- delay timers ---

/** A frame was received. */
export function received(s: E1000): void {
  let causes: u32 = is82574(s) ? <u32>Cause.RXQ0 : 0;
  if ((s.rdtr & 0xffff) == 0) {
    causes |= <u32>Cause.RXT0;
  } else {
    const now = ticks();
    s.rxDelay = now + delayTicks(s.rdtr);
    if (s.rxAbsolute == NEVER && s.radv != 0) s.rxAbsolute = now + delayTicks(s.radv);
    updateDeadline(s);
  }
  if (causes != 0) setCause(s, causes);
}

/** Descriptors were written back; `delayed` if all of them asked for it (IDE). */
export function transmitted(s: E1000, delayed: bool): void {
  if (!delayed || (s.tidv & 0xffff) == 0) {
    setCause(s, is82574(s) ? <u32>(Cause.TXDW | Cause.TXQ0) : <u32>Cause.TXDW);
    return;
  }
  const now = ticks();
  s.txDelay = now + delayTicks(s.tidv);
  if (s.txAbsolute == NEVER && s.tadv != 0) s.txAbsolute = now + delayTicks(s.tadv);
  updateDeadline(s);
  if (is82574(s) && (s.ivar & EVERY_WRITE_BACK) != 0) setCause(s, Cause.TXQ0);
}

export function writeRdtr(s: E1000, value: u32): void {
  s.rdtr = value & 0xffff;
  if ((value & FLUSH) != 0 && s.rxDelay != NEVER) endReceiveDelay(s, Stat.ICRXPTC);
}

export function writeTidv(s: E1000, value: u32): void {
  s.tidv = value & 0xffff;
  if ((value & FLUSH) != 0 && s.txDelay != NEVER) endTransmitDelay(s, Stat.ICTXPTC);
}

function endReceiveDelay(s: E1000, counter: Stat): void {
  s.rxDelay = NEVER;
  s.rxAbsolute = NEVER;
  updateDeadline(s);
  count(s, counter, 1);
  setCause(s, Cause.RXT0);
}

function endTransmitDelay(s: E1000, counter: Stat): void {
  s.txDelay = NEVER;
  s.txAbsolute = NEVER;
  updateDeadline(s);
  count(s, counter, 1);
  // Where every write-back sets the queue's cause it was set then.
  const told = !is82574(s) || (s.ivar & EVERY_WRITE_BACK) != 0;
  setCause(s, told ? <u32>Cause.TXDW : <u32>(Cause.TXDW | Cause.TXQ0));
}

/** The deadline has come. */
export function timersDue(s: E1000, now: u64): void {
  if (s.rxDelay <= now) endReceiveDelay(s, Stat.ICRXPTC);
  else if (s.rxAbsolute <= now) endReceiveDelay(s, Stat.ICRXATC);
  if (s.txDelay <= now) endTransmitDelay(s, Stat.ICTXPTC);
  else if (s.txAbsolute <= now) endTransmitDelay(s, Stat.ICTXATC);
  if (s.throttle <= now) {
    if (msixEnabled(s.slot)) {
      sendWaiting(s);
    } else {
      s.vectorsWaiting = 0;
      s.throttle = NEVER;
      updateDeadline(s);
      updatePin(s);
    }
  }
}
