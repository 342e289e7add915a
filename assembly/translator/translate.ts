// Translates what begins at an instruction: discovers, analyses, writes, and hands the body
// to the module under construction.
import { HartAt, Machine, Tier } from "../abi/layout";
import { pageOfEntry, slotOfEntry } from "../code/predecode";
import { addPage, newRegion, nextRegionAt, regionAt, RegionFlag, RegionState } from "../code/regions";
import { loadsArePlain } from "../hart/plain";
import { hart, Mode } from "../hart/state";
import { Op } from "../isa/op.gen";
import { plainLoads, setPlainLoads } from "./address";
import { emitBlocks, isTooLarge } from "./blocks";
import { BODY, MAX_INSNS } from "./buffers";
import {
  blockCount, discover, entryOf, hasArithmetic, hasFloat, hasSlowFloat, insnCount, pageAddress, pageCount, pageIndexOf, pageUsed,
} from "./discover";
import { analyse } from "./flow";
import { blockAt, insnAt } from "./insn";
import { coolDown } from "./heat";
import { Kind } from "./kind";
import { setTailCalls } from "./leave";
import { resetLocals } from "./locals";
import { beginRecord, loggedBytes } from "./log";
import { addFunction, hasRoom, hurry } from "./modules";
import { cursor, moveTo } from "./writer";

/** Regions smaller than this are retried no further when they do not fit. */
const FEWEST_INSNS: u32 = 16;
/** Bytes of a body: TurboFan needs 3 ms for 4 KiB, 36 ms for 17 KiB. An interpreter's loop in one region is worth more than that. */
const MOST_WASM: usize = 16384;

// @ts-ignore: decorator
@inline
export function inexactAccrued(): bool {
  return (load<u32>(<usize>HartAt.FFLAGS) & 1) != 0;
}

/** Do region flags suit the hart's state? */
export function suits(flags: u32): bool {
  if ((flags & RegionFlag.PLAIN_LOADS) != 0 && !loadsArePlain()) return false;
  if (flags & RegionFlag.FAST_FLOAT) return inexactAccrued();
  return !(flags & RegionFlag.SLOW_FLOAT) || !inexactAccrued();
}

/** Translates the region that begins at entry `p`, the hart's address `pc`; `anew` even if that is done already. */
export function translateRegion(p: usize, pc: u64, anew: bool = false): void {
  if (load<u32>(<usize>Machine.TIER) == <u32>Tier.INTERPRETER || !hasRoom()) return;
  // Past the last instruction of a page nothing begins.
  if (<u32>load<u16>(p) == <u32>Op.PAGE_END) return;
  const mode = hart().mode;
  const index = pageOfEntry(p);
  for (let id = nextRegionAt(0, pc, mode, index); id != 0 && !anew; id = nextRegionAt(id, pc, mode, index)) {
    const r = regionAt(id);
    if (!suits(r.flags)) continue;
    if (r.state == <u32>RegionState.PENDING) hurry(true);
    return;
  }
  setTailCalls(load<u32>(<usize>Machine.TAIL_CALLS) != 0);
  const fast = inexactAccrued();
  setPlainLoads(mode == <u32>Mode.M && loadsArePlain());
  // What is too large is cut where other regions begin, so that they do not hold the same code again and again.
  let spare = false;
  for (let limit = MAX_INSNS; limit >= FEWEST_INSNS; ) {
    const whole = discover(pc, index, slotOfEntry(p), limit, fast, spare);
    if (!whole && !spare) {
      spare = true;
      continue;
    }
    if (insnCount == 0 || insnAt(0).kind >= <u32>Kind.SYSTEM) return;
    analyse(whole && !spare);
    resetLocals();
    moveTo(BODY);
    beginRecord();
    emitBlocks();
    if (!isTooLarge() && cursor - loggedBytes < BODY + MOST_WASM) {
      record(pc, mode, fast);
      if (anew) hurry(false);
      return;
    }
    if (spare) limit >>= 1;
    spare = true;
  }
}

function record(pc: u64, mode: u32, fast: bool): void {
  const id = newRegion(pc, mode, pageIndexOf(0));
  if (id == 0) return;
  const r = regionAt(id);
  r.minimum = blockAt(0).length;
  r.flags =
    (hasFloat ? RegionFlag.FLOAT : 0) |
    (hasArithmetic && fast ? RegionFlag.FAST_FLOAT : 0) |
    (hasSlowFloat ? RegionFlag.SLOW_FLOAT : 0) |
    (plainLoads ? RegionFlag.PLAIN_LOADS : 0);
  const first = <i64>(pc >> 12);
  for (let k: u32 = 0; k < pageCount; k++) {
    if (pageUsed(k)) addPage(id, pageIndexOf(k), <i64>(pageAddress(k) >> 12) - first);
  }
  addFunction(id);
  coolBlocks();
}

/** Loops around each other become hot at about the same time, and one region holds them all: the others' heads are to show that they need their own. */
function coolBlocks(): void {
  for (let n: u32 = 1; n < blockCount; n++) {
    const b = blockAt(n);
    if (b.count != 0) coolDown(entryOf(b));
  }
}
