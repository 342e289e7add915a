// INTx wires (PCI Local Bus 3.0, 2.2.6 and 6.2.4). Four wires run to the interrupt controller; slot s's
// INTA is wire s % 4, INTB the next, so functions share wires and a wire is high while
// any function on it asserts. A function asserts while its device wants it, unless
// Interrupt Disable is set or MSI-X has taken over. Interrupt Status shows the wish
// before the first of these gates; with MSI-X there is no wish.
import { Dev } from "../../abi/device";
import { Irq } from "../../abi/memory-map";
import { raiseIrq } from "../irqchip/raise";
import { Command, Config, Status, command, configAt, functionAt, Pci } from "./function";
import { msixEnabled } from "./msix";

/** One bit a slot for each of the four wires, at the front of the host bridge's state. */
// @ts-ignore: decorator
@inline
function wireAt(wire: u32): usize {
  return <usize>Dev.PCI_HOST + (<usize>wire << 2);
}

/** A device's wish for its interrupt pin. */
export function setIntx(slot: u32, level: bool): void {
  functionAt(slot).intx = level ? 1 : 0;
  updateIntx(slot);
}

function asserted(slot: u32): bool {
  return functionAt(slot).intx != 0 && (command(slot) & <u32>Command.INTERRUPT_DISABLE) == 0 && !msixEnabled(slot);
}

// @ts-ignore: decorator
@inline
function wireOf(slot: u32, pin: u32): u32 {
  return (slot + pin - 1) & 3;
}

/** Recomputes a function's share of its wire: after setIntx and after any write to its configuration. */
export function updateIntx(slot: u32): void {
  const at = configAt(slot);
  const pin: u32 = load<u8>(at, Config.INTERRUPT_PIN);
  if (pin == 0) return;
  const status: u32 = load<u16>(at, Config.STATUS);
  const wish = functionAt(slot).intx != 0 && !msixEnabled(slot);
  store<u16>(at, <u16>(wish ? status | <u32>Status.INTERRUPT : status & ~(<u32>Status.INTERRUPT)), Config.STATUS);

  const wire = wireOf(slot, pin);
  const before = load<u32>(wireAt(wire));
  const after = asserted(slot) ? before | (1 << slot) : before & ~(1 << slot);
  if (after == before) return;
  store<u32>(wireAt(wire), after);
  raiseIrq(<u32>Irq.PCIE + wire, after != 0);
}

/** True if the wires are what the functions make them; after a restore. */
export function wiresSound(): bool {
  for (let wire: u32 = 0; wire < 4; wire++) {
    let expected: u32 = 0;
    for (let slot: u32 = 0; slot < <u32>Pci.SLOTS; slot++) {
      const pin: u32 = load<u8>(configAt(slot), Config.INTERRUPT_PIN);
      if (pin != 0 && wireOf(slot, pin) == wire && asserted(slot)) expected |= 1 << slot;
    }
    if (load<u32>(wireAt(wire)) != expected) return false;
  }
  return true;
}
