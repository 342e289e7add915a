// Integer registers as locals. x0 reads as zero, and writes to it go nowhere.
import { HartAt } from "../abi/layout";
import { localFor } from "./locals";
import { Wasm } from "./wasm";
import { byte, get, i64Const, set } from "./writer";

/** Number of the integer register at `address` in the hart's block. */
// @ts-ignore: decorator
@inline
export function registerNumber(address: u32): u32 {
  return (address - <u32>HartAt.X) >> 3;
}

export function pushRegister(address: u32): void {
  if (address == <u32>HartAt.X) i64Const(0);
  else get(localFor(registerNumber(address)));
}

export function setRegister(address: u32): void {
  if (address == <u32>HartAt.X_SINK) byte(Wasm.DROP);
  else set(localFor(registerNumber(address)));
}
