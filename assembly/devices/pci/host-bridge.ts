// Generic PCIe host bridge, as QEMU's gpex on the `virt` board: one root bus behind ECAM,
// described by `pci-host-ecam-generic` in the device tree. The bridge itself is the
// function at 00:00.0. Power-on and restore of the whole bus live here.
import { Dev, DeviceKind } from "../../abi/device";
import { Irq } from "../../abi/memory-map";
import { raiseIrq } from "../irqchip/raise";
import { rebuildDecode } from "./decode";
import { Pci, addFunction, configAt, functionAt } from "./function";
import { updateIntx, wiresSound } from "./intx";
import { msixSound, resetMsix } from "./msix";

const RED_HAT: u32 = 0x1b36;
const GPEX_BRIDGE: u32 = 0x0008;
const QEMU_SUBSYSTEM_VENDOR: u32 = 0x1af4;
const QEMU_SUBSYSTEM: u32 = 0x1100;
const CLASS_HOST_BRIDGE: u32 = 0x06_00_00;

/** Takes every function off the bus but the host bridge; before devices are attached. */
export function pciInit(): void {
  for (let pin: u32 = 0; pin < 4; pin++) raiseIrq(<u32>Irq.PCIE + pin, false);
  memory.fill(<usize>Dev.PCI_HOST, 0, <usize>(Dev.PCI_FUNCTIONS - Dev.PCI_HOST));
  memory.fill(<usize>Dev.PCI_FUNCTIONS, 0, <usize>Pci.SLOTS * <usize>Pci.FUNCTION_SIZE);
  addFunction(0, DeviceKind.PCI_HOST, 0, RED_HAT, GPEX_BRIDGE, CLASS_HOST_BRIDGE, 0, QEMU_SUBSYSTEM_VENDOR, QEMU_SUBSYSTEM, 0);
}

/** Reset of the bus: what the guest wrote goes, the functions stay. */
export function pciReset(): void {
  for (let slot: u32 = 0; slot < <u32>Pci.SLOTS; slot++) {
    const f = functionAt(slot);
    if (f.kind == <u32>DeviceKind.NONE) continue;
    const at = configAt(slot);
    for (let r: usize = 0; r < <usize>Pci.CONFIG_SIZE; r += 4) {
      store<u32>(at + r, load<u32>(at + r) & ~load<u32>(at + r, Pci.WRITE_MASK));
    }
    f.intx = 0;
    updateIntx(slot);
    resetMsix(slot);
  }
  rebuildDecode();
}

/** After a restore: offsets in range, the wires as the functions drive them; the decode table is built anew. */
export function pciValidate(): bool {
  for (let slot: u32 = 0; slot < <u32>Pci.SLOTS; slot++) {
    const f = functionAt(slot);
    if (f.kind > <u32>DeviceKind.CUSTOM || f.lastCapability > 0xfe) return false;
    if (f.capabilitiesEnd > <u32>Pci.CONFIG_SIZE || f.msix > <u32>Pci.CONFIG_SIZE - 12) return false;
    if (f.window > <u32>Pci.CONFIG_SIZE - 20) return false;
    if (f.msix != 0 && ((<u32>load<u16>(configAt(slot) + f.msix, 2)) & 0x7ff) >= <u32>Pci.MSIX_VECTORS) return false;
    if (!msixSound(slot)) return false;
  }
  rebuildDecode();
  return wiresSound();
}
