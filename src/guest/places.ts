// Places for devices that are attached in the order of options: slots of the virtio-mmio
// transport, functions on the PCI bus, and the engine's virtio devices on PCI.
import { OptionError } from "../errors.ts";

/** virtio-mmio slots: the entropy source has the first. */
const FIRST_MMIO_SLOT = 1;
const MMIO_SLOTS = 8;
/** Functions before it have places of their own (machine.ts), and so has the last. */
const FIRST_PCI_SLOT = 7;
export const LAST_PCI_SLOT = 31;
/** The engine's virtio devices on PCI: the console is 8. */
const FIRST_INSTANCE = 9;
export const LAST_INSTANCE = 31;

/** Hands out places, each once. Every method throws OptionError when there is none left. */
export class Places {
  #mmio = FIRST_MMIO_SLOT;
  #pci = FIRST_PCI_SLOT;
  #instance = FIRST_INSTANCE;

  mmioSlot(): number {
    if (this.#mmio === MMIO_SLOTS) {
      const room = MMIO_SLOTS - FIRST_MMIO_SLOT;
      throw new OptionError(`more than ${room} devices with transport=mmio: attach the others with transport=pci`);
    }
    return this.#mmio++;
  }

  pciSlot(): number {
    if (this.#pci === LAST_PCI_SLOT) {
      throw new OptionError(
        `more than ${LAST_PCI_SLOT - FIRST_PCI_SLOT} devices on the PCI bus beside console, NVMe and AHCI: leave some out`,
      );
    }
    return this.#pci++;
  }

  instance(): number {
    if (this.#instance === LAST_INSTANCE) {
      throw new OptionError(
        `more than ${LAST_INSTANCE - FIRST_INSTANCE} virtio devices on the PCI bus beside the console: leave some out, or attach disks as nvme`,
      );
    }
    return this.#instance++;
  }
}
