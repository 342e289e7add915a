// Locals of the function under construction. The first ones are fixed; a register, a group's
// host address or a temporary has one from its first use on.
import { FixedLocal, LocalKey as Key } from "../abi/translated";
import { LOCALS, LOCALS_SIZE } from "./buffers";
import { byte, unsigned } from "./writer";
import { Type } from "./wasm";

/** Parameters: steps left, depth of calls, and where it was entered (moved.ts). Then scratch that no instruction relies on. */
export const STEPS: u32 = FixedLocal.STEPS;
export const DEPTH: u32 = FixedLocal.DEPTH;
export const MOVED: u32 = FixedLocal.MOVED; // i64
export const ADDRESS: u32 = FixedLocal.ADDRESS; // i64
export const A: u32 = FixedLocal.A; // i64
export const B: u32 = FixedLocal.B; // i64
export const C: u32 = FixedLocal.C; // i64
export const HOST: u32 = FixedLocal.HOST; // i32
export const LABEL: u32 = FixedLocal.LABEL; // i32
export const EXIT: u32 = FixedLocal.EXIT; // i32
const FIRST_FREE: u32 = FixedLocal.COUNT;

/** What a local stands for. */
export { LocalKey as Key } from "../abi/translated";

const TYPES: usize = LOCALS + 1024;

let count: u32 = 0;

export function resetLocals(): void {
  memory.fill(LOCALS, 0, LOCALS_SIZE);
  count = FIRST_FREE;
  for (let i = ADDRESS; i <= C; i++) store<u8>(TYPES + i, Type.I64);
  store<u8>(TYPES + HOST, Type.I32);
  store<u8>(TYPES + LABEL, Type.I32);
  store<u8>(TYPES + EXIT, Type.I32);
}

function typeOf(key: u32): Type {
  if (key < <u32>Key.F) return Type.I64;
  if (key < <u32>Key.SINGLE) return Type.F64;
  if (key >= <u32>Key.GROUP) return Type.I32;
  return key >= <u32>Key.F64_TEMP && key < <u32>Key.F32_TEMP ? Type.F64 : Type.F32;
}

/** Number of the local for `key`. */
export function localFor(key: u32): u32 {
  const at = LOCALS + (<usize>key << 1);
  let n = <u32>load<u16>(at);
  if (n == 0) {
    n = count++;
    store<u16>(at, <u16>n);
    store<u8>(TYPES + n, <u8>typeOf(key));
  }
  return n;
}

/** Writes the declarations. */
export function writeLocals(): void {
  let groups: u32 = 0;
  for (let n = ADDRESS; n < count; n++) if (n == ADDRESS || load<u8>(TYPES + n) != load<u8>(TYPES + n - 1)) groups++;
  unsigned(groups);
  for (let n = ADDRESS; n < count; ) {
    const type = load<u8>(TYPES + n);
    let length: u32 = 1;
    while (n + length < count && load<u8>(TYPES + n + length) == type) length++;
    unsigned(length);
    byte(type);
    n += length;
  }
}
