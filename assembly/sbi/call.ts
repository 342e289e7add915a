// The calling convention of an SBI call (SBI 2.0, chapter 3): arguments in a0 to a5,
// function in a6, extension in a7; an error code comes back in a0 and a value in a1.
// The running hart's registers are read and written in place.
//
// An extension's `handle` returns true when the ecall returns to its caller, and false
// when the hart goes elsewhere (stopped, suspended, system reset): then a0 and a1
// belong to whoever resumes it.
import { HartAt, Layout, Machine } from "../abi/layout";
import { SbiError } from "../abi/sbi";

const A0: u32 = 10;

/** Argument a`n` of the running hart: 0 to 5, then 6 the function and 7 the extension. */
// @ts-ignore: decorator
@inline
export function argument(n: u32): u64 {
  return load<u64>(<usize>HartAt.X + ((<usize>(A0 + n)) << 3));
}

/** Returns success and `value` to the caller. */
export function succeed(value: u64): bool {
  store<i64>(<usize>HartAt.X + (<usize>A0 << 3), SbiError.SUCCESS);
  store<u64>(<usize>HartAt.X + (<usize>(A0 + 1) << 3), value);
  return true;
}

/** Returns `error` to the caller, with a value of 0. */
export function fail(error: SbiError): bool {
  store<i64>(<usize>HartAt.X + (<usize>A0 << 3), <i64>(<i32>error));
  store<u64>(<usize>HartAt.X + (<usize>(A0 + 1) << 3), 0);
  return true;
}

/** Legacy extensions return one word in a0 and leave a1 alone (chapter 5). */
export function legacyReturn(value: i64): bool {
  store<i64>(<usize>HartAt.X + (<usize>A0 << 3), value);
  return true;
}

export function hartCount(): u32 {
  return min(load<u32>(<usize>Machine.HART_COUNT), <u32>Layout.MAX_HARTS);
}

/** Bit h set for each hart of the machine. */
export function allHarts(): u32 {
  return (1 << hartCount()) - 1;
}

/**
 * The harts that hart_mask and hart_mask_base name (chapter 3.1), bit h for hart h, or
 * -1 if any of them does not exist. A base of -1 means every hart.
 */
export function hartsOf(mask: u64, base: u64): i32 {
  if (base == u64.MAX_VALUE) return <i32>allHarts();
  if (mask == 0) return 0;
  const count = <u64>hartCount();
  if (base >= count) return -1;
  if (mask >> (count - base) != 0) return -1;
  return <i32>(mask << base);
}
