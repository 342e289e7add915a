import { ParavaneError } from "../errors.ts";

/** The machine cannot be booted with these images. The message says what is wrong, where, and what to do. */
export class BootError extends ParavaneError {}

/** An address as messages show it: 0x8020_0000. */
export function hex(address: number): string {
  const digits = address.toString(16).padStart(8, "0");
  return `0x${digits.slice(0, -4)}_${digits.slice(-4)}`;
}
