// Token buckets, with the meaning that Firecracker's rate limiter gives them: {size, one_time_burst, refill_time}. What is in
// a bucket is one number, which the host begins with size + burst. See abi/hypercall.ts and the README.
import { BucketAt, BudgetAt, HypercallAt } from "../abi/hypercall";
import { Timebase } from "../abi/memory-map";
import { ticks } from "../clock";

/** Whoever must wait waits for what comes in a millisecond, in ticks: to be back for every token would take the time of all others. */
const BATCH: u64 = Timebase.HZ / 1000;

/** Tokens of a bucket without a limit, so that the way of every call need not ask whether there is one. */
const ENDLESS: i64 = 1 << 62;

// @ts-ignore: decorator
@inline
export function budgetAt(n: u32): usize {
  return <usize>HypercallAt.BUDGETS + <usize>n * <usize>BudgetAt.SIZE;
}

/** Does budget `n` of something, or the guest's own, say anything at all? */
// @ts-ignore: decorator
@inline
export function isLimited(n: u32): bool {
  return (n | load<u32>(<usize>HypercallAt.GUEST_LIMITED)) != 0;
}

// @ts-ignore: decorator
@inline
function isOpen(bucket: usize): bool {
  return load<i64>(bucket, BucketAt.TOKENS) > 0 || fill(bucket);
}

/** Nothing is left: adds what has come with time, or no end of it where there is no limit. True if there is something now. */
function fill(bucket: usize): bool {
  const size = load<u64>(bucket, BucketAt.SIZE);
  if (size == 0) {
    store<i64>(bucket, ENDLESS, BucketAt.TOKENS);
    return true;
  }
  const now = ticks();
  const filled = load<u64>(bucket, BucketAt.FILLED);
  const period = load<u64>(bucket, BucketAt.REFILL);
  const tokens = load<i64>(bucket, BucketAt.TOKENS);
  // After a reset on the virtual clock time begins anew.
  if (now <= filled) {
    if (now < filled) store<u64>(bucket, now, BucketAt.FILLED);
    return false;
  }
  // Whole tokens only; the time of the rest counts on. Doubles have 53 bits: what they lose of larger products is less than a tick.
  const came = Math.floor((<f64>(now - filled) * <f64>size) / <f64>period);
  if (came < 1) return false;
  if (came >= <f64>(<i64>size - tokens)) {
    store<i64>(bucket, <i64>size, BucketAt.TOKENS);
    store<u64>(bucket, now, BucketAt.FILLED);
    return true;
  }
  const took = <u64>Math.ceil((came * <f64>period) / <f64>size);
  store<i64>(bucket, tokens + <i64>came, BucketAt.TOKENS);
  store<u64>(bucket, min(now, filled + took), BucketAt.FILLED);
  return tokens + <i64>came > 0;
}

/** Number of the budget of which nothing is left: `n`, or 0 for the guest's; -1 if there is something of both. */
export function over(n: u32): i32 {
  if (n != 0) {
    const own = budgetAt(n);
    if (!isOpen(own + BudgetAt.OPERATIONS) || !isOpen(own + BudgetAt.BYTES)) return n;
  }
  if (load<u32>(<usize>HypercallAt.GUEST_LIMITED) == 0) return -1;
  const guest = budgetAt(0);
  return isOpen(guest + BudgetAt.OPERATIONS) && isOpen(guest + BudgetAt.BYTES) ? -1 : 0;
}

/** Takes one operation off budget `n` and the guest's if there is anything left of both: -1, or else what over() says. */
export function takeOperation(n: u32): i32 {
  const own = budgetAt(n);
  if (n != 0 && (!isOpen(own + BudgetAt.OPERATIONS) || !isOpen(own + BudgetAt.BYTES))) return n;
  if (load<u32>(<usize>HypercallAt.GUEST_LIMITED) != 0) {
    const guest = budgetAt(0);
    if (!isOpen(guest + BudgetAt.OPERATIONS) || !isOpen(guest + BudgetAt.BYTES)) return 0;
    take(guest + BudgetAt.OPERATIONS, 1);
  }
  if (n != 0) take(own + BudgetAt.OPERATIONS, 1);
  return -1;
}

// @ts-ignore: decorator
@inline
function take(bucket: usize, tokens: i64): void {
  store<i64>(bucket, load<i64>(bucket, BucketAt.TOKENS) - tokens, BucketAt.TOKENS);
}

/** Takes operations and bytes off budget `n` and the guest's; below 0 they come back. */
export function spend(n: u32, operations: i64, bytes: i64): void {
  if (n != 0) {
    take(budgetAt(n) + BudgetAt.OPERATIONS, operations);
    take(budgetAt(n) + BudgetAt.BYTES, bytes);
  }
  if (load<u32>(<usize>HypercallAt.GUEST_LIMITED) == 0) return;
  take(budgetAt(0) + BudgetAt.OPERATIONS, operations);
  take(budgetAt(0) + BudgetAt.BYTES, bytes);
}

/** Tick at which there will be a batch in `bucket`, or all that it holds, if nothing else takes it; 0 if there is something now. */
function openAt(bucket: usize): u64 {
  const size = load<u64>(bucket, BucketAt.SIZE);
  const tokens = load<i64>(bucket, BucketAt.TOKENS);
  if (size == 0 || tokens > 0) return 0;
  const refill = load<u64>(bucket, BucketAt.REFILL);
  const batch = max(1, Math.floor((<f64>size * <f64>min(BATCH, refill)) / <f64>refill));
  const wait = Math.ceil(((batch - <f64>tokens) * <f64>refill) / <f64>size);
  return load<u64>(bucket, BucketAt.FILLED) + <u64>min(wait, 9e15);
}

/** The same for budget `n` and the guest's; after now, and at least a tick, so that whoever waits for it does. */
export function withinAt(n: u32): u64 {
  let at = max(openAt(budgetAt(0) + BudgetAt.OPERATIONS), openAt(budgetAt(0) + BudgetAt.BYTES));
  if (n != 0) {
    at = max(at, openAt(budgetAt(n) + BudgetAt.OPERATIONS));
    at = max(at, openAt(budgetAt(n) + BudgetAt.BYTES));
  }
  return max(at, ticks() + 1);
}

/** Counts that something had to wait for budget `n`, or was refused because of it. */
export function countOver(n: u32, field: BudgetAt): void {
  const at = budgetAt(n) + <usize>field;
  store<u64>(at, load<u64>(at) + 1);
}
