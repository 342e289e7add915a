// Do loads of M-mode reach all of memory, each byte where it is? They do until MPRV lends M-mode other rights or
// an entry of PMP is locked: firmware does such things, programs for the bare machine do not. Translated
// code of M-mode that relies on it is never entered again once it is over (translator/translate.ts, suits).
import { clearAllJumps } from "./jumps";

let plain: bool = true;

// @ts-ignore: decorator
@inline
export function loadsArePlain(): bool {
  return plain;
}

/** At power-on. */
export function resetPlain(): void {
  plain = true;
}

/** No more, until power-on. Whatever runs must return before it goes on: an emptied jump cache makes it. */
export function endPlain(): void {
  if (!plain) return;
  plain = false;
  clearAllJumps();
}
