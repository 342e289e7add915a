// How anything in the machine ends a run for good: the finisher's registers and SBI SRST
// both come here. The run loop sees ATTENTION, finds EXIT set and returns to the host.
import { Exit } from "../../abi/exit";
import { Machine } from "../../abi/layout";

/** `code` is the guest's exit status, 0 for success. */
export function requestExit(exit: Exit, code: u32): void {
  store<u32>(<usize>Machine.EXIT, exit);
  store<u32>(<usize>Machine.EXIT_CODE, code);
  store<u32>(<usize>Machine.EXIT_HART, load<u32>(<usize>Machine.CURRENT_HART));
  store<u32>(<usize>Machine.ATTENTION, 1);
}
