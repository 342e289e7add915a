// What the region's graph says: an order, dominators, loops, which registers are in locals
// and dirty where, and how many steps a path may take before the budget is looked at.
import { MAX_BLOCKS, ORDER, PREDECESSORS, WORK } from "./buffers";
import { blockCount, leaveInstead, successor } from "./discover";
import { Block, blockAt, definesOf, End, Insn, insnAt, usesOf } from "./insn";
import { Kind } from "./kind";

const NONE: u32 = ~(<u32>0);

/** Blocks that are reached. */
export let orderCount: u32 = 0;
/** Every loop is entered at its head alone: the region can be written with blocks and loops. */
export let isReducible: bool = true;

// @ts-ignore: decorator
@inline
export function inOrder(n: u32): u32 {
  return load<u16>(ORDER + ((<usize>n) << 1));
}

/** So many edges into the middle of loops are cut; code with more is made that way, such as an interpreter's. */
const MOST_STRAYS: u32 = 4;

/** `whole`: nothing of the region's code was left out, and nothing would be if it began elsewhere. */
export function analyse(whole: bool): void {
  shape();
  while (!isReducible && whole && cutStrays()) {
    forgetShape();
    shape();
  }
  markLoops();
  spreadDirty();
  spreadLive();
  measure();
}

function shape(): void {
  orderBlocks();
  linkPredecessors();
  findDominators();
  markJoins();
}

function forgetShape(): void {
  for (let n: u32 = 0; n < blockCount; n++) {
    const b = blockAt(n);
    b.order = NONE;
    b.dominator = NONE;
    b.predecessorCount = 0;
    b.isLoop = 0;
    b.isMerge = 0;
  }
}

/** Does an edge from `b` to block `to` go back into the middle of a loop, which has another head? */
function isStray(b: Block, own: u32, to: u32): bool {
  return blockAt(to).order <= b.order && !dominates(to, own);
}

/**
 * Makes edges into the middle of loops leave the region, where they are few: mostly it is the region that begins in
 * the middle, and what they lead to is a better beginning. False if nothing was cut.
 */
function cutStrays(): bool {
  let strays: u32 = 0;
  for (let n: u32 = 0; n < orderCount; n++) {
    const own = inOrder(n);
    const b = blockAt(own);
    for (let i: u32 = 0; i < b.successorCount; i++) {
      if (!isStray(b, own, successor(b, i))) continue;
      if (b.end == End.JUMP_REGISTER || ++strays > MOST_STRAYS) return false;
    }
  }
  if (blockCount + strays > MAX_BLOCKS) return false;
  for (let n: u32 = 0; n < orderCount; n++) {
    const own = inOrder(n);
    const b = blockAt(own);
    for (let i: u32 = 0; i < b.successorCount; i++) {
      if (isStray(b, own, successor(b, i))) leaveInstead(b, i);
    }
  }
  return strays != 0;
}

// --- order ---

function orderBlocks(): void {
  orderCount = 0;
  visit(0);
  // visit() numbered them in postorder, from the end of the list down.
  const from = blockCount - orderCount;
  for (let n: u32 = 0; n < orderCount; n++) {
    const b = load<u16>(ORDER + ((<usize>(from + n)) << 1));
    store<u16>(ORDER + ((<usize>n) << 1), b);
    blockAt(b).order = n;
  }
}

function visit(n: u32): void {
  const b = blockAt(n);
  b.order = 0;
  for (let i = <i32>b.successorCount - 1; i >= 0; i--) {
    const to = successor(b, i);
    if (blockAt(to).order == NONE) visit(to);
  }
  orderCount++;
  store<u16>(ORDER + ((<usize>(blockCount - orderCount)) << 1), <u16>n);
}

function linkPredecessors(): void {
  for (let n: u32 = 0; n < orderCount; n++) {
    const b = blockAt(inOrder(n));
    for (let i: u32 = 0; i < b.successorCount; i++) blockAt(successor(b, i)).predecessorCount++;
  }
  let total: u32 = 0;
  for (let n: u32 = 0; n < orderCount; n++) {
    const b = blockAt(inOrder(n));
    b.predecessors = total;
    total += b.predecessorCount;
    b.predecessorCount = 0;
  }
  for (let n: u32 = 0; n < orderCount; n++) {
    const from = inOrder(n);
    const b = blockAt(from);
    for (let i: u32 = 0; i < b.successorCount; i++) {
      const to = blockAt(successor(b, i));
      store<u16>(PREDECESSORS + ((<usize>(to.predecessors + to.predecessorCount)) << 1), <u16>from);
      to.predecessorCount++;
    }
  }
}

function predecessor(b: Block, n: u32): u32 {
  return load<u16>(PREDECESSORS + ((<usize>(b.predecessors + n)) << 1));
}

// --- dominators, after Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" ---

function findDominators(): void {
  blockAt(0).dominator = 0;
  let changed = true;
  while (changed) {
    changed = false;
    for (let n: u32 = 1; n < orderCount; n++) {
      const b = blockAt(inOrder(n));
      let d = NONE;
      for (let i: u32 = 0; i < b.predecessorCount; i++) {
        const p = predecessor(b, i);
        if (blockAt(p).dominator == NONE) continue;
        d = d == NONE ? p : common(d, p);
      }
      if (d != b.dominator) {
        b.dominator = d;
        changed = true;
      }
    }
  }
}

function common(a: u32, b: u32): u32 {
  while (a != b) {
    while (blockAt(a).order > blockAt(b).order) a = blockAt(a).dominator;
    while (blockAt(b).order > blockAt(a).order) b = blockAt(b).dominator;
  }
  return a;
}

function dominates(a: u32, b: u32): bool {
  while (blockAt(b).order > blockAt(a).order) b = blockAt(b).dominator;
  return a == b;
}

/** Loop heads, joins, and the tree of dominators: children in descending order. */
function markJoins(): void {
  isReducible = true;
  for (let n: u32 = 0; n < orderCount; n++) {
    const own = inOrder(n);
    const b = blockAt(own);
    let forward: u32 = 0;
    for (let i: u32 = 0; i < b.predecessorCount; i++) {
      const p = predecessor(b, i);
      if (blockAt(p).order < n) forward++;
      else {
        b.isLoop = 1;
        if (!dominates(own, p)) isReducible = false;
      }
    }
    b.isMerge = forward > 1 ? 1 : 0;
    b.child = NONE;
    b.sibling = NONE;
    if (n != 0) {
      const parent = blockAt(b.dominator);
      b.sibling = parent.child;
      parent.child = own;
    }
  }
}

/** Finds the blocks of loops: those from which an edge leads back to the head, and what leads to them. */
function markLoops(): void {
  for (let n: u32 = 0; n < orderCount; n++) {
    const head = inOrder(n);
    const h = blockAt(head);
    if (!h.isLoop) continue;
    let work: u32 = 0;
    for (let i: u32 = 0; i < h.predecessorCount; i++) {
      const p = predecessor(h, i);
      if (blockAt(p).order >= n) work = join(p, head, work);
    }
    h.loop = head + 1;
    for (let done: u32 = 0; done < work; done++) {
      const b = blockAt(load<u16>(WORK + ((<usize>done) << 1)));
      for (let i: u32 = 0; i < b.predecessorCount; i++) work = join(predecessor(b, i), head, work);
    }
  }
}

/** Block `n` is of the loop at `head`: to be looked at, as the `work`th, if that is new. How many are. */
function join(n: u32, head: u32, work: u32): u32 {
  const b = blockAt(n);
  if (n == head || b.loop == head + 1) return work;
  b.loop = head + 1;
  store<u16>(WORK + ((<usize>work) << 1), <u16>n);
  return work + 1;
}

// --- registers ---

/** May the instruction be left to the interpreter, or end the region with a trap? */
export function mayLeave(i: Insn): bool {
  return i.kind != Kind.ALU && i.kind != Kind.BRANCH && i.kind != Kind.JAL && i.kind != Kind.CSR;
}

// @ts-ignore: decorator
@inline
function calls(b: Block): bool {
  return b.end == End.CALL || b.end == End.CALL_REGISTER || b.end == End.SYSTEM;
}

function spreadDirty(): void {
  let changed = true;
  while (changed) {
    changed = false;
    for (let n: u32 = 0; n < orderCount; n++) {
      const b = blockAt(inOrder(n));
      let dirty: u64 = 0;
      for (let i: u32 = 0; i < b.predecessorCount; i++) dirty |= blockAt(predecessor(b, i)).dirtyOut;
      b.dirtyIn = dirty;
      for (let i: u32 = 0; i < b.count; i++) dirty |= definesOf(insnAt(b.first + i));
      // A call writes everything back, and what follows it reads anew.
      if (calls(b)) dirty = 0;
      if (dirty != b.dirtyOut) {
        b.dirtyOut = dirty;
        changed = true;
      }
    }
  }
}

function spreadLive(): void {
  let changed = true;
  while (changed) {
    changed = false;
    for (let n = <i32>orderCount - 1; n >= 0; n--) {
      const b = blockAt(inOrder(n));
      const live = liveInto(b);
      if (live != b.live) {
        b.live = live;
        changed = true;
      }
    }
  }
}

/** Registers that block `b` needs in locals when it begins: those it reads, and those that it may write back. */
function liveInto(b: Block): u64 {
  let dirty = b.dirtyIn;
  for (let i: u32 = 0; i < b.count; i++) dirty |= definesOf(insnAt(b.first + i));
  let live: u64 = 0;
  if (!calls(b)) for (let i: u32 = 0; i < b.successorCount; i++) live |= blockAt(successor(b, i)).live;
  // Where the region ends everything dirty is written back.
  if (b.end >= <u32>End.CALL) live |= dirty;
  for (let n = <i32>b.count - 1; n >= 0; n--) {
    const i = insnAt(b.first + n);
    live = (live & ~definesOf(i)) | usesOf(i);
    // Dirty at the instruction: what this block wrote before it, and what came in.
    if (mayLeave(i)) live |= dirtyBefore(b, n);
  }
  if (b.isLoop) live |= b.dirtyIn;
  return live;
}

function dirtyBefore(b: Block, n: u32): u64 {
  let dirty = b.dirtyIn;
  for (let i: u32 = 0; i < n; i++) dirty |= definesOf(insnAt(b.first + i));
  return dirty;
}

// --- steps ---

/** Most steps that a path through the region takes before the budget is looked at. */
export let longestPath: u32 = 0;

function measure(): void {
  longestPath = 1;
  for (let n = <i32>orderCount - 1; n >= 0; n--) {
    const b = blockAt(inOrder(n));
    let longest: u32 = 0;
    // The budget is looked at at loop heads, and when a call has returned.
    if (!calls(b)) {
      for (let i: u32 = 0; i < b.successorCount; i++) {
        const to = blockAt(successor(b, i));
        if (!to.isLoop) longest = max(longest, to.length);
      }
    }
    b.length = b.count + longest;
    longestPath = max(longestPath, b.length);
  }
}
