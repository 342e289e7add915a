// Atomic memory operations on host memory: real atomics, so that harts of one guest may
// run in several threads over one shared memory.
import { Amo } from "../isa/a";

/** Applies `operation` to the word at `at`; the old value, sign-extended. */
export function amo32(at: usize, operation: Amo, operand: u32): i64 {
  switch (<u32>operation) {
    case Amo.SWAP: return <i64>(<i32>atomic.xchg<u32>(at, operand));
    case Amo.ADD: return <i64>(<i32>atomic.add<u32>(at, operand));
    case Amo.XOR: return <i64>(<i32>atomic.xor<u32>(at, operand));
    case Amo.AND: return <i64>(<i32>atomic.and<u32>(at, operand));
    case Amo.OR: return <i64>(<i32>atomic.or<u32>(at, operand));
  }
  while (true) {
    const old = atomic.load<u32>(at);
    if (atomic.cmpxchg<u32>(at, old, choose32(operation, old, operand)) == old) return <i64>(<i32>old);
  }
}

function choose32(operation: Amo, old: u32, operand: u32): u32 {
  switch (<u32>operation) {
    case Amo.MIN: return <i32>old < <i32>operand ? old : operand;
    case Amo.MAX: return <i32>old > <i32>operand ? old : operand;
    case Amo.MINU: return min<u32>(old, operand);
  }
  return max<u32>(old, operand);
}

/** The same on a doubleword. */
export function amo64(at: usize, operation: Amo, operand: u64): i64 {
  switch (<u32>operation) {
    case Amo.SWAP: return <i64>atomic.xchg<u64>(at, operand);
    case Amo.ADD: return <i64>atomic.add<u64>(at, operand);
    case Amo.XOR: return <i64>atomic.xor<u64>(at, operand);
    case Amo.AND: return <i64>atomic.and<u64>(at, operand);
    case Amo.OR: return <i64>atomic.or<u64>(at, operand);
  }
  while (true) {
    const old = atomic.load<u64>(at);
    if (atomic.cmpxchg<u64>(at, old, choose64(operation, old, operand)) == old) return <i64>old;
  }
}

function choose64(operation: Amo, old: u64, operand: u64): u64 {
  switch (<u32>operation) {
    case Amo.MIN: return <i64>old < <i64>operand ? old : operand;
    case Amo.MAX: return <i64>old > <i64>operand ? old : operand;
    case Amo.MINU: return min<u64>(old, operand);
  }
  return max<u64>(old, operand);
}
