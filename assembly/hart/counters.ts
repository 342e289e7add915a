// cycle and instret. Both count instructions: an emulated hart has no better cycle.
// `budget` is what the current slice may still run; see interpreter/run.
import { hart } from "./state";

/** Instructions that the current slice began with, and has left. */
let sliceBudget: u32 = 0;
let sliceLeft: u32 = 0;
/** Steps of this slice that retired nothing: traps. */
let sliceUnretired: u32 = 0;

export function beginSlice(budget: u32): void {
  sliceBudget = budget;
  sliceLeft = budget;
  sliceUnretired = 0;
}

/** Tells how much of the slice is left, before slow code looks at counters or time. */
// @ts-ignore: decorator
@inline
export function setSliceLeft(left: u32): void {
  sliceLeft = left;
}

export function stepsInSlice(): u32 {
  return sliceLeft;
}

export function countUnretired(): void {
  sliceUnretired++;
}

/** Steps taken in this slice so far, retired or trapped: what virtual time counts. */
// @ts-ignore: decorator
@inline
export function sliceSteps(): u32 {
  return sliceBudget - sliceLeft;
}

/** Adds the slice to the hart's total. */
export function endSlice(): void {
  hart().retired += <u64>(sliceSteps() - sliceUnretired);
  beginSlice(0);
}

/** Instructions of the slice under way that its hart's total does not hold yet; 0 between slices. */
export function sliceRetired(): u64 {
  return <u64>(sliceSteps() - sliceUnretired);
}

function now(): u64 {
  return hart().retired + sliceRetired();
}

/** mcycle (0) or minstret (2) of the running hart. */
export function instructionsRetired(index: u32): u64 {
  const s = hart();
  const offset = index == 0 ? s.mcycleOffset : s.minstretOffset;
  // While inhibited the offset holds the frozen value itself.
  return (s.mcountinhibit >> <u64>index) & 1 ? offset : now() + offset;
}

export function setCounter(index: u32, value: u64): void {
  const s = hart();
  const offset = (s.mcountinhibit >> <u64>index) & 1 ? value : value - now();
  if (index == 0) s.mcycleOffset = offset;
  else s.minstretOffset = offset;
}

/** mcountinhibit: freezing turns the offset into the value and back. */
export function setInhibit(mask: u64): void {
  const s = hart();
  const cycle = instructionsRetired(0);
  const instret = instructionsRetired(2);
  s.mcountinhibit = mask & 5;
  setCounter(0, cycle);
  setCounter(2, instret);
}
