// Budgets of devices. They are kept by what is behind a device (DeviceSlot: disk n, network
// port n, the consoles), so that they mean the same in whatever form the guest reaches it. A
// device asks before it takes a request off its queue; what it must leave there it takes
// in its poll, which the engine calls again at the tick in HELD_UNTIL. No device can refuse.
import { BudgetAt, DeviceSlot, HypercallAt } from "../abi/hypercall";
import { ticks } from "../clock";
import { countOver, isLimited, over, spend, withinAt } from "./budget";

// @ts-ignore: decorator
@inline
function budgetOf(slot: u32): u32 {
  return slot < <u32>DeviceSlot.COUNT ? load<u8>(<usize>HypercallAt.DEVICES + <usize>slot) : 0;
}

/** May the device take another request? If not it is looked at again when it may. */
export function mayServe(slot: u32): bool {
  const n = budgetOf(slot);
  if (!isLimited(n)) return true;
  if (over(n) < 0) return true;
  const at = <usize>HypercallAt.HELD_UNTIL;
  const until = withinAt(n);
  if (load<u64>(at) == 0 || until < load<u64>(at)) store<u64>(at, until);
  return false;
}

/** A request has to wait for budget. One that still does is counted again whenever the device is looked at. */
export function noteHeld(slot: u32): void {
  const exhausted = over(budgetOf(slot));
  if (exhausted >= 0) countOver(<u32>exhausted, BudgetAt.DELAYED);
}

/** Does a budget say anything of the device? */
export function isBudgeted(slot: u32): bool {
  return isLimited(budgetOf(slot));
}

/** It took one, and moved so many bytes for it. */
export function served(slot: u32, bytes: u64): void {
  const n = budgetOf(slot);
  if (isLimited(n)) spend(n, 1, <i64>bytes);
}

/** All devices are about to be looked at. */
export function beginPoll(): void {
  store<u64>(<usize>HypercallAt.HELD_UNTIL, 0);
}

/** Is it time to look at devices that ran out of budget? */
export function isPollDue(): bool {
  const until = load<u64>(<usize>HypercallAt.HELD_UNTIL);
  return until != 0 && ticks() >= until;
}
