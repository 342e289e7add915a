// Which interrupt controller the machine has, and the harts that it serves.
import { Irqchip, Layout, Machine } from "../../abi/layout";

/** Does the machine have the Advanced Interrupt Architecture in place of the PLIC? */
// @ts-ignore: decorator
@inline
export function hasAia(): bool {
  return load<u32>(<usize>Machine.IRQCHIP) == <u32>Irqchip.AIA;
}

export function hartsServed(): u32 {
  return min(load<u32>(<usize>Machine.HART_COUNT), <u32>Layout.MAX_HARTS);
}
