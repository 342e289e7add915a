// Platform-Level Interrupt Controller (RISC-V PLIC specification 1.0.0; SiFive FU540 manual,
// chapter 10), with 96 sources and two contexts a hart (2h machine, 2h+1 supervisor), as on
// QEMU's `virt` board.
//
//   0x00_0000  priority of source n at 4n, 0 (never) to 7
//   0x00_1000  pending bits, read-only
//   0x00_2000  enable bits, 0x80 a context
//   0x20_0000  threshold; claim/complete at +4; 0x1000 a context
//
// Gateways are level-triggered: a source becomes pending while its wire is high and no
// claim of it is open; completion opens the gateway, and a wire that is still high makes
// it pending again. A wire that falls before the claim leaves the source pending as the
// specification allows: the driver finds nothing to do.
import { Dev } from "../../abi/device";
import { Layout } from "../../abi/layout";
import { Irq } from "../../abi/memory-map";
import { Line, setLine } from "../../irq";
import { hasAia, hartsServed } from "./aia";

const enum Reg {
  PENDING = 0x1000,
  ENABLE = 0x2000,
  ENABLE_STRIDE = 0x80,
  CONTEXT = 0x20_0000,
  CONTEXT_STRIDE = 0x1000,
  THRESHOLD = 0,
  CLAIM = 4,
}

const WORDS: u32 = Irq.COUNT >> 5;
const MAX_PRIORITY: u32 = 7;

// State, in bytes from Dev.PLIC.
const enum At {
  PRIORITY = 0, // a word a source
  LEVEL = 0x200, // the wires, a bit a source
  PENDING = 0x210,
  CLAIMED = 0x220, // gateway closed
  THRESHOLD = 0x240, // a word a context
  ENABLE = 0x300, // 16 bytes a context
  END = 0x400,
}

// @ts-ignore: decorator
@inline
function word(at: At, index: u32): usize {
  return <usize>Dev.PLIC + <usize>at + (<usize>index << 2);
}

// @ts-ignore: decorator
@inline
function enableAt(context: u32): usize {
  return <usize>Dev.PLIC + <usize>At.ENABLE + (<usize>context << 4);
}

function contexts(): u32 {
  return hartsServed() << 1;
}

function bit(at: At, source: u32): bool {
  return ((load<u32>(word(at, source >> 5)) >> (source & 31)) & 1) != 0;
}

function setBit(at: At, source: u32, on: bool): void {
  const address = word(at, source >> 5);
  const before = load<u32>(address);
  store<u32>(address, on ? before | (1 << (source & 31)) : before & ~(1 << (source & 31)));
}

/** The wire of `source` (Irq.*) into its gateway. */
export function plicRaise(source: u32, level: bool): void {
  if (source == 0 || source >= <u32>Irq.COUNT || bit(At.LEVEL, source) == level) return;
  setBit(At.LEVEL, source, level);
  if (!level || bit(At.CLAIMED, source) || bit(At.PENDING, source)) return;
  setBit(At.PENDING, source, true);
  updateLines();
}

/** Highest-priority source pending and enabled for a context, lowest number first among equals; 0 if none. */
function best(context: u32): u32 {
  let chosen: u32 = 0;
  let priority: u32 = 0;
  for (let w: u32 = 0; w < WORDS; w++) {
    let ready = load<u32>(word(At.PENDING, w)) & load<u32>(enableAt(context) + (<usize>w << 2));
    while (ready != 0) {
      const source = (w << 5) + ctz(ready);
      const p = load<u32>(word(At.PRIORITY, source));
      if (p > priority) {
        priority = p;
        chosen = source;
      }
      ready &= ready - 1;
    }
  }
  return chosen;
}

function updateLine(context: u32): void {
  const source = best(context);
  const threshold = load<u32>(word(At.THRESHOLD, context));
  const level = source != 0 && load<u32>(word(At.PRIORITY, source)) > threshold;
  setLine(context >> 1, (context & 1) == 0 ? Line.MEIP : Line.SEIP, level);
}

function updateLines(): void {
  const n = contexts();
  for (let context: u32 = 0; context < n; context++) updateLine(context);
}

/** A claim takes the source whatever the threshold says (specification, chapter 9). */
function claim(context: u32): u32 {
  const source = best(context);
  if (source == 0) return 0;
  setBit(At.PENDING, source, false);
  setBit(At.CLAIMED, source, true);
  updateLines();
  return source;
}

/** Ignored unless the source is enabled for this context (chapter 10). */
function complete(context: u32, source: u32): void {
  if (source == 0 || source >= <u32>Irq.COUNT || !bit(At.CLAIMED, source)) return;
  if (((load<u32>(enableAt(context) + ((<usize>source >> 5) << 2)) >> (source & 31)) & 1) == 0) return;
  setBit(At.CLAIMED, source, false);
  if (!bit(At.LEVEL, source)) return;
  setBit(At.PENDING, source, true);
  updateLines();
}

export function plicReset(): void {
  memory.fill(<usize>Dev.PLIC, 0, <usize>At.END);
  if (hasAia()) return; // the lines are the IMSIC's
  for (let hart: u32 = 0; hart < <u32>Layout.MAX_HARTS; hart++) {
    setLine(hart, Line.MEIP, false);
    setLine(hart, Line.SEIP, false);
  }
}

/** Registers are dwords; the bus admits nothing else. */
export function plicRead(offset: u32): u32 {
  if (offset < <u32>Reg.PENDING) {
    const source = offset >> 2;
    return source < <u32>Irq.COUNT ? load<u32>(word(At.PRIORITY, source)) : 0;
  }
  if (offset < <u32>Reg.ENABLE) {
    const w = (offset - <u32>Reg.PENDING) >> 2;
    return w < WORDS ? load<u32>(word(At.PENDING, w)) : 0;
  }
  if (offset < <u32>Reg.CONTEXT) {
    const at = enableRegister(offset);
    return at == 0 ? 0 : load<u32>(at);
  }
  const context = (offset - <u32>Reg.CONTEXT) / <u32>Reg.CONTEXT_STRIDE;
  if (context >= contexts()) return 0;
  switch ((offset - <u32>Reg.CONTEXT) % <u32>Reg.CONTEXT_STRIDE) {
    case Reg.THRESHOLD:
      return load<u32>(word(At.THRESHOLD, context));
    case Reg.CLAIM:
      return claim(context);
    default:
      return 0;
  }
}

export function plicWrite(offset: u32, value: u32): void {
  if (offset < <u32>Reg.PENDING) {
    const source = offset >> 2;
    if (source == 0 || source >= <u32>Irq.COUNT) return;
    store<u32>(word(At.PRIORITY, source), value & MAX_PRIORITY);
    updateLines();
    return;
  }
  if (offset < <u32>Reg.ENABLE) return;
  if (offset < <u32>Reg.CONTEXT) {
    const at = enableRegister(offset);
    if (at == 0) return;
    // Source 0 does not exist.
    store<u32>(at, (at & 0xf) == 0 ? value & ~1 : value);
    updateLine((offset - <u32>Reg.ENABLE) / <u32>Reg.ENABLE_STRIDE);
    return;
  }
  const context = (offset - <u32>Reg.CONTEXT) / <u32>Reg.CONTEXT_STRIDE;
  if (context >= contexts()) return;
  switch ((offset - <u32>Reg.CONTEXT) % <u32>Reg.CONTEXT_STRIDE) {
    case Reg.THRESHOLD:
      store<u32>(word(At.THRESHOLD, context), value & MAX_PRIORITY);
      updateLine(context);
      break;
    case Reg.CLAIM:
      complete(context, value);
      break;
  }
}

/** Address of the enable word at `offset`, or 0. */
function enableRegister(offset: u32): usize {
  const context = (offset - <u32>Reg.ENABLE) / <u32>Reg.ENABLE_STRIDE;
  const w = ((offset - <u32>Reg.ENABLE) % <u32>Reg.ENABLE_STRIDE) >> 2;
  return context < contexts() && w < WORDS ? enableAt(context) + (<usize>w << 2) : 0;
}

export function plicValidate(): bool {
  for (let source: u32 = 0; source < <u32>Irq.COUNT; source++) {
    if (load<u32>(word(At.PRIORITY, source)) > MAX_PRIORITY) return false;
  }
  for (let context: u32 = 0; context < <u32>Layout.MAX_HARTS << 1; context++) {
    if (load<u32>(word(At.THRESHOLD, context)) > MAX_PRIORITY) return false;
  }
  if (!hasAia()) updateLines();
  return true;
}
