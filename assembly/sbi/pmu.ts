// Performance Monitoring Unit extension (SBI 2.0, chapter 11). A hart has the two fixed
// hardware counters, cycle and instret, under their CSR's numbers 0 and 2 (1 would be
// `time`, which is no counter), and 16 firmware counters that count SBI events. Hardware
// events other than those two, cache and raw events do not exist; the flags that would
// inhibit counting in some modes are hints, and ignored. Snapshots write counter values
// into a page of the guest's; there is no overflow interrupt, so its bitmap stays 0.
//
// Every call is about the running hart. A hardware counter that no event is mapped to
// counts freely: user programs read `cycle` and `instret` without asking.
import { PmuConfig, PmuCounter, PmuEvent, PmuFunction, PmuStart, PmuStop, SbiError } from "../abi/sbi";
import { hartCounter, inhibitHartCounter, setHartCounter } from "../hart/control";
import { dmaRead, dmaWrite, inRam } from "../memory/ram";
import { argument, fail, succeed } from "./call";
import { firmwareValue, sbiHart, setFirmwareEvent, setFirmwareValue } from "./state";

const HARDWARE: u32 = (1 << <u32>PmuCounter.CYCLE) | (1 << <u32>PmuCounter.INSTRET);
const FIRMWARE: u32 = ((1 << <u32>PmuCounter.FIRMWARE_COUNT) - 1) << <u32>PmuCounter.FIRMWARE;

// counter_info: CSR in bits 11:0, width less one in 17:12, type (1 firmware) in the top bit.
const CSR_CYCLE: u64 = 0xc00;
const WIDTH_64: u64 = 63 << 12;
const TYPE_FIRMWARE: u64 = 1 << 63;

const SNAPSHOT_SIZE: u32 = 4096;
const SNAPSHOT_VALUES: u64 = 8; // after the overflow bitmap

function isHardware(counter: u32): bool {
  return ((HARDWARE >> counter) & 1) != 0;
}

function value(hart: u32, counter: u32): u64 {
  return isHardware(counter) ? hartCounter(hart, counter) : firmwareValue(hart, counter - PmuCounter.FIRMWARE);
}

function setValue(hart: u32, counter: u32, to: u64): void {
  if (isHardware(counter)) setHartCounter(hart, counter, to);
  else setFirmwareValue(hart, counter - PmuCounter.FIRMWARE, to);
}

function setStarted(hart: u32, counter: u32, started: bool): void {
  const s = sbiHart(hart);
  s.started = started ? s.started | (1 << counter) : s.started & ~(1 << counter);
  if (isHardware(counter)) inhibitHartCounter(hart, counter, !started);
}

/** Unmaps `counter`; a hardware one counts freely again. */
function release(hart: u32, counter: u32): void {
  const s = sbiHart(hart);
  s.started &= ~(1 << counter);
  s.configured &= ~(1 << counter);
  if (isHardware(counter)) inhibitHartCounter(hart, counter, false);
}

export function releaseCounters(hart: u32): void {
  release(hart, PmuCounter.CYCLE);
  release(hart, PmuCounter.INSTRET);
}

/** The counters that counter_idx_base and counter_idx_mask name, or -1 if any does not exist. Number 1 may be named and is passed over. */
function countersOf(base: u64, mask: u64): i32 {
  if (mask == 0) return 0;
  if (base >= <u64>PmuCounter.COUNT || mask >> (<u64>PmuCounter.COUNT - base) != 0) return -1;
  return <i32>(<u32>(mask << base) & (HARDWARE | FIRMWARE));
}

function getInfo(index: u64): bool {
  if (index >= <u64>PmuCounter.COUNT) return fail(SbiError.INVALID_PARAM);
  const bit: u32 = 1 << <u32>index;
  if ((bit & HARDWARE) != 0) return succeed(WIDTH_64 | (CSR_CYCLE + index));
  if ((bit & FIRMWARE) != 0) return succeed(TYPE_FIRMWARE | WIDTH_64);
  return fail(SbiError.INVALID_PARAM);
}

/** Which counters could count `event`. */
function candidates(event: u64): u32 {
  if (event == PmuEvent.CPU_CYCLES) return 1 << <u32>PmuCounter.CYCLE;
  if (event == PmuEvent.INSTRUCTIONS) return 1 << <u32>PmuCounter.INSTRET;
  if (event >= <u64>PmuEvent.FW_SET_TIMER && event <= <u64>PmuEvent.FW_SFENCE_VMA_ASID_RECEIVED) return FIRMWARE;
  return 0;
}

function configMatching(hart: u32): bool {
  const set = countersOf(argument(0), argument(1));
  const flags = argument(2);
  const event = argument(3);
  if (set < 0 || (flags & ~(<u64>PmuConfig.ALL)) != 0) return fail(SbiError.INVALID_PARAM);
  const s = sbiHart(hart);
  let counter: u32;
  if ((flags & PmuConfig.SKIP_MATCH) != 0) {
    const mapped = <u32>set & s.configured;
    if (mapped == 0) return fail(SbiError.INVALID_PARAM);
    counter = ctz(mapped);
  } else {
    const free = <u32>set & candidates(event) & ~s.configured;
    if (free == 0) return fail(SbiError.NOT_SUPPORTED);
    counter = ctz(free);
    s.configured |= 1 << counter;
    if (!isHardware(counter)) setFirmwareEvent(hart, counter - PmuCounter.FIRMWARE, <u32>event);
    setStarted(hart, counter, false);
  }
  if ((flags & PmuConfig.CLEAR_VALUE) != 0) setValue(hart, counter, 0);
  if ((flags & PmuConfig.AUTO_START) != 0) setStarted(hart, counter, true);
  return succeed(counter);
}

function start(hart: u32): bool {
  const base = argument(0);
  const flags = argument(2);
  const set = countersOf(base, argument(1));
  if (set < 0 || flags > <u64>(PmuStart.SET_INIT_VALUE | PmuStart.INIT_SNAPSHOT)) return fail(SbiError.INVALID_PARAM);
  const s = sbiHart(hart);
  let snapshot: usize = 0;
  if ((flags & PmuStart.INIT_SNAPSHOT) != 0) {
    snapshot = s.snapshot == 0 ? 0 : dmaRead(s.snapshot, SNAPSHOT_SIZE);
    if (snapshot == 0) return fail(SbiError.NO_SHMEM);
  }
  let error: SbiError = SbiError.SUCCESS;
  for (let rest = <u32>set; rest != 0; rest &= rest - 1) {
    const counter = <u32>ctz(rest);
    if (((s.configured >> counter) & 1) == 0) {
      error = SbiError.INVALID_PARAM;
    } else if (((s.started >> counter) & 1) != 0) {
      error = SbiError.ALREADY_STARTED;
    } else {
      if ((flags & PmuStart.SET_INIT_VALUE) != 0) setValue(hart, counter, argument(3));
      if (snapshot != 0) setValue(hart, counter, load<u64>(snapshot + <usize>snapshotOffset(counter, base)));
      setStarted(hart, counter, true);
    }
  }
  return error == SbiError.SUCCESS ? succeed(0) : fail(error);
}

/** Snapshot values are numbered from counter_idx_base, not from counter 0. */
function snapshotOffset(counter: u32, base: u64): u64 {
  return SNAPSHOT_VALUES + ((<u64>counter - base) << 3);
}

function stop(hart: u32): bool {
  const base = argument(0);
  const flags = argument(2);
  const set = countersOf(base, argument(1));
  if (set < 0 || flags > <u64>(PmuStop.RESET | PmuStop.TAKE_SNAPSHOT)) return fail(SbiError.INVALID_PARAM);
  const s = sbiHart(hart);
  let snapshot: usize = 0;
  if ((flags & PmuStop.TAKE_SNAPSHOT) != 0) {
    snapshot = s.snapshot == 0 ? 0 : dmaWrite(s.snapshot, SNAPSHOT_SIZE);
    if (snapshot == 0) return fail(SbiError.NO_SHMEM);
  }
  let error: SbiError = SbiError.SUCCESS;
  for (let rest = <u32>set; rest != 0; rest &= rest - 1) {
    const counter = <u32>ctz(rest);
    if (((s.started >> counter) & 1) == 0) {
      error = SbiError.ALREADY_STOPPED;
    } else {
      setStarted(hart, counter, false);
      if (snapshot != 0) store<u64>(snapshot + <usize>snapshotOffset(counter, base), value(hart, counter));
    }
    if ((flags & PmuStop.RESET) != 0) release(hart, counter);
  }
  return error == SbiError.SUCCESS ? succeed(0) : fail(error);
}

function firmwareRead(hart: u32, index: u64, high: bool): bool {
  if (index >= <u64>PmuCounter.COUNT || ((FIRMWARE >> <u32>index) & 1) == 0) return fail(SbiError.INVALID_PARAM);
  return succeed(high ? 0 : firmwareValue(hart, <u32>index - PmuCounter.FIRMWARE));
}

function setSharedMemory(hart: u32): bool {
  const low = argument(0);
  const high = argument(1);
  if (argument(2) != 0) return fail(SbiError.INVALID_PARAM);
  if ((low & high) == u64.MAX_VALUE) {
    sbiHart(hart).snapshot = 0;
    return succeed(0);
  }
  if ((low & <u64>(SNAPSHOT_SIZE - 1)) != 0) return fail(SbiError.INVALID_PARAM);
  if (high != 0 || !inRam(low, SNAPSHOT_SIZE)) return fail(SbiError.INVALID_ADDRESS);
  sbiHart(hart).snapshot = low;
  return succeed(0);
}

export function handlePmu(hart: u32, fid: u32): bool {
  switch (fid) {
    case PmuFunction.NUM_COUNTERS:
      return succeed(PmuCounter.COUNT);
    case PmuFunction.COUNTER_GET_INFO:
      return getInfo(argument(0));
    case PmuFunction.COUNTER_CONFIG_MATCHING:
      return configMatching(hart);
    case PmuFunction.COUNTER_START:
      return start(hart);
    case PmuFunction.COUNTER_STOP:
      return stop(hart);
    case PmuFunction.COUNTER_FW_READ:
      return firmwareRead(hart, argument(0), false);
    case PmuFunction.COUNTER_FW_READ_HI:
      return firmwareRead(hart, argument(0), true);
    case PmuFunction.SNAPSHOT_SET_SHMEM:
      return setSharedMemory(hart);
    default:
      return fail(SbiError.NOT_SUPPORTED);
  }
}
