// The wires of the board: whoever has an interrupt pulls one here, and it leads to the
// interrupt controller that the machine has.
import { hasAia } from "./aia";
import { aplicRaise } from "./aplic";
import { plicRaise } from "./plic";

/** The wire of `source` (Irq.*) is high or low. */
export function raiseIrq(source: u32, level: bool): void {
  if (hasAia()) aplicRaise(source, level);
  else plicRaise(source, level);
}
