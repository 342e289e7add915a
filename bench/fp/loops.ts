// AssemblyScript: each operation of assembly/fp in a loop over pairs of operands, so that a
// call from the host costs nothing beside it. The results are combined, so none is left out.
import { HartAt } from "../../assembly/abi/layout";
import * as double from "../../assembly/fp/double";
import * as single from "../../assembly/fp/single";

/** Operands: two of 8 bytes each, a float in the low half of its own. */
const OPERANDS: usize = 0x10_0000;
const PAIRS: u32 = 256;

function at(i: u32): usize {
  return OPERANDS + <usize>((i & (PAIRS - 1)) << 4);
}

function a64(i: u32): u64 {
  return load<u64>(at(i));
}
function b64(i: u32): u64 {
  return load<u64>(at(i), 8);
}
function a32(i: u32): u32 {
  return load<u32>(at(i));
}
function b32(i: u32): u32 {
  return load<u32>(at(i), 8);
}

export function setFlags(flags: u32): void {
  store<u32>(<usize>HartAt.FFLAGS, flags);
}

export function nothing64(n: u32, rm: u32): u64 {
  let x: u64 = rm;
  for (let i: u32 = 0; i < n; i++) x ^= a64(i) + b64(i);
  return x;
}
export function add64(n: u32, rm: u32): u64 {
  let x: u64 = 0;
  for (let i: u32 = 0; i < n; i++) x ^= double.add64(a64(i), b64(i), rm);
  return x;
}
export function mul64(n: u32, rm: u32): u64 {
  let x: u64 = 0;
  for (let i: u32 = 0; i < n; i++) x ^= double.mul64(a64(i), b64(i), rm);
  return x;
}
export function div64(n: u32, rm: u32): u64 {
  let x: u64 = 0;
  for (let i: u32 = 0; i < n; i++) x ^= double.div64(a64(i), b64(i), rm);
  return x;
}
export function sqrt64(n: u32, rm: u32): u64 {
  let x: u64 = 0;
  for (let i: u32 = 0; i < n; i++) x ^= double.sqrt64(a64(i), rm);
  return x;
}
export function fma64(n: u32, rm: u32): u64 {
  let x: u64 = 0;
  for (let i: u32 = 0; i < n; i++) x ^= double.fma64(a64(i), b64(i), a64(i + 1), rm);
  return x;
}
export function nothing32(n: u32, rm: u32): u64 {
  let x: u32 = rm;
  for (let i: u32 = 0; i < n; i++) x ^= a32(i) + b32(i);
  return x;
}
export function add32(n: u32, rm: u32): u64 {
  let x: u32 = 0;
  for (let i: u32 = 0; i < n; i++) x ^= single.add32(a32(i), b32(i), rm);
  return x;
}
export function mul32(n: u32, rm: u32): u64 {
  let x: u32 = 0;
  for (let i: u32 = 0; i < n; i++) x ^= single.mul32(a32(i), b32(i), rm);
  return x;
}
export function div32(n: u32, rm: u32): u64 {
  let x: u32 = 0;
  for (let i: u32 = 0; i < n; i++) x ^= single.div32(a32(i), b32(i), rm);
  return x;
}
export function sqrt32(n: u32, rm: u32): u64 {
  let x: u32 = 0;
  for (let i: u32 = 0; i < n; i++) x ^= single.sqrt32(a32(i), rm);
  return x;
}
export function fma32(n: u32, rm: u32): u64 {
  let x: u32 = 0;
  for (let i: u32 = 0; i < n; i++) x ^= single.fma32(a32(i), b32(i), a32(i + 1), rm);
  return x;
}
