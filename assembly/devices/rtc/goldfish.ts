// Goldfish real-time clock (google,goldfish-rtc): nanoseconds since 1970 and one alarm.
// Reading TIME_LOW latches TIME_HIGH, so guests read low first; writing TIME_HIGH, then
// TIME_LOW sets the clock, and writing ALARM_LOW arms the alarm set in ALARM_HIGH.
// Our clock is the host's plus an offset.
import { Dev } from "../../abi/device";
import { Irq } from "../../abi/memory-map";
import { ticks, wallNanoseconds } from "../../clock";
import { raiseIrq } from "../irqchip/raise";

const enum Reg {
  TIME_LOW = 0x00,
  TIME_HIGH = 0x04,
  ALARM_LOW = 0x08,
  ALARM_HIGH = 0x0c,
  IRQ_ENABLED = 0x10,
  CLEAR_ALARM = 0x14,
  ALARM_STATUS = 0x18,
  CLEAR_INTERRUPT = 0x1c,
}

const NANOSECONDS_PER_TICK: u64 = 100;

@unmanaged
export class Goldfish {
  /** What the guest added to the wall clock, modulo 2^64. */
  offset: u64;
  alarm: u64;
  /** TIME_HIGH as of the last read of TIME_LOW. */
  timeHigh: u32;
  alarmArmed: u32;
  irqEnabled: u32;
  irqPending: u32;
}

// @ts-ignore: decorator
@inline
function state(): Goldfish {
  return changetype<Goldfish>(<usize>Dev.RTC);
}

function time(s: Goldfish): u64 {
  return wallNanoseconds() + s.offset;
}

function updateIrq(s: Goldfish): void {
  raiseIrq(Irq.RTC, (s.irqEnabled & s.irqPending) != 0);
}

export function rtcReset(): void {
  memory.fill(<usize>Dev.RTC, 0, offsetof<Goldfish>());
  updateIrq(state());
}

/** Fires the alarm if its time has come; the run loop calls it with the timers. */
export function rtcUpdate(): void {
  const s = state();
  if (s.alarmArmed == 0 || time(s) < s.alarm) return;
  s.alarmArmed = 0;
  s.irqPending = 1;
  updateIrq(s);
}

/** Tick at which the alarm is due, ~0 if none is armed. */
export function rtcDeadline(): u64 {
  const s = state();
  if (s.alarmArmed == 0) return ~0;
  const current = time(s);
  if (s.alarm <= current) return ticks();
  // One tick more than the quotient, so that the alarm is never early.
  return ticks() + (s.alarm - current) / NANOSECONDS_PER_TICK + 1;
}

export function rtcRead(offset: u32): u32 {
  const s = state();
  switch (offset) {
    case Reg.TIME_LOW: {
      const now = time(s);
      s.timeHigh = <u32>(now >> 32);
      return <u32>now;
    }
    case Reg.TIME_HIGH:
      return s.timeHigh;
    case Reg.ALARM_LOW:
      return <u32>s.alarm;
    case Reg.ALARM_HIGH:
      return <u32>(s.alarm >> 32);
    case Reg.IRQ_ENABLED:
      return s.irqEnabled;
    case Reg.ALARM_STATUS:
      return s.alarmArmed;
    default:
      return 0;
  }
}

export function rtcWrite(offset: u32, value: u32): void {
  const s = state();
  switch (offset) {
    case Reg.TIME_LOW: {
      const now = time(s);
      s.offset += withLow(now, value) - now;
      break;
    }
    case Reg.TIME_HIGH: {
      const now = time(s);
      s.offset += withHigh(now, value) - now;
      break;
    }
    case Reg.ALARM_LOW:
      s.alarm = withLow(s.alarm, value);
      s.alarmArmed = 1;
      rtcUpdate();
      break;
    case Reg.ALARM_HIGH:
      s.alarm = withHigh(s.alarm, value);
      break;
    case Reg.IRQ_ENABLED:
      s.irqEnabled = value & 1;
      updateIrq(s);
      break;
    case Reg.CLEAR_ALARM:
      s.alarmArmed = 0;
      break;
    case Reg.CLEAR_INTERRUPT:
      s.irqPending = 0;
      updateIrq(s);
      break;
  }
}

function withLow(time: u64, low: u32): u64 {
  return (time & 0xffff_ffff_0000_0000) | low;
}

function withHigh(time: u64, high: u32): u64 {
  return (time & 0xffff_ffff) | (<u64>high << 32);
}

export function rtcValidate(): bool {
  const s = state();
  return s.alarmArmed <= 1 && s.irqEnabled <= 1 && s.irqPending <= 1;
}
