// Addresses of code, in code. Where a user's program and its libraries lie differs from process
// to process, while their pages are the same: what is translated for U-mode runs wherever these are mapped, and
// adds how far that is from where it was translated.
import { canMove } from "../code/regions";
import { hart } from "../hart/state";
import { MOVED } from "./locals";
import { Wasm } from "./wasm";
import { byte, get, i64Const, set } from "./writer";

/** The third parameter is where the region was entered, until this: then how far that is from `pc`. */
export function findMoved(pc: u64): void {
  if (!canMove(hart().mode)) return;
  get(MOVED);
  i64Const(<i64>pc);
  byte(Wasm.I64_SUB);
  set(MOVED);
}

export function pushMoved(): void {
  if (canMove(hart().mode)) get(MOVED);
  else i64Const(0);
}

/** Pushes what is `pc` where the region was translated. */
export function pushPc(pc: u64): void {
  i64Const(<i64>pc);
  if (!canMove(hart().mode)) return;
  get(MOVED);
  byte(Wasm.I64_ADD);
}
