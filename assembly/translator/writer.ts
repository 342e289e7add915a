// Writes WebAssembly: bytes at a cursor, numbers in LEB128. Whoever moves the cursor to a
// buffer keeps an eye on its end.
import { Type, Wasm } from "./wasm";

export let cursor: usize = 0;

export function moveTo(at: usize): void {
  cursor = at;
}

// @ts-ignore: decorator
@inline
export function byte(value: u32): void {
  store<u8>(cursor++, <u8>value);
}

export function unsigned(value: u32): void {
  while (value >= 0x80) {
    byte(value | 0x80);
    value >>= 7;
  }
  byte(value);
}

export function signed(value: i64): void {
  while (value < -64 || value > 63) {
    byte((<u32>value & 0x7f) | 0x80);
    value >>= 7;
  }
  byte(<u32>value & 0x7f);
}

/** An opcode with an unsigned operand: locals, branches, calls. */
export function op1(code: Wasm, operand: u32): void {
  byte(code);
  unsigned(operand);
}

export function get(local: u32): void {
  op1(Wasm.LOCAL_GET, local);
}
export function set(local: u32): void {
  op1(Wasm.LOCAL_SET, local);
}
export function tee(local: u32): void {
  op1(Wasm.LOCAL_TEE, local);
}

export function i32Const(value: i32): void {
  byte(Wasm.I32_CONST);
  signed(value);
}
export function i64Const(value: i64): void {
  byte(Wasm.I64_CONST);
  signed(value);
}
export function f64Const(value: f64): void {
  byte(Wasm.F64_CONST);
  store<f64>(cursor, value);
  cursor += 8;
}
export function f32Const(value: f32): void {
  byte(Wasm.F32_CONST);
  store<f32>(cursor, value);
  cursor += 4;
}

/** A load or store: unaligned, at the address on the stack plus `offset`. */
export function access(code: Wasm, offset: u32): void {
  byte(code);
  byte(0);
  unsigned(offset);
}

// --- what nests ---

/** Blocks, loops and ifs that are open: the depth that a branch counts from. */
export let nesting: u32 = 0;

/** A function's code begins, or goes on in so many. */
export function setNesting(depth: u32): void {
  nesting = depth;
}

function open(code: Wasm, type: Type): void {
  byte(code);
  byte(type);
  nesting++;
}

/** Without a result, as all blocks and loops here. */
export function ifThen(): void {
  open(Wasm.IF, Type.NONE);
}
/** `if` with a result of one type. */
export function ifValue(type: Type): void {
  open(Wasm.IF, type);
}
export function block(): void {
  open(Wasm.BLOCK, Type.NONE);
}
export function loop(): void {
  open(Wasm.LOOP, Type.NONE);
}
export function end(): void {
  byte(Wasm.END);
  nesting--;
}
