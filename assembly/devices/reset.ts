// Power-on of all devices at once: nothing attached, every register at its reset value.
import { resetExitCounters } from "../exits";
import { ahciInit } from "./block/ahci";
import { nvmeInit } from "./block/nvme";
import { uartReset } from "./console/ns16550a";
import { plicReset } from "./irqchip/plic";
import { pciInit } from "./pci/host-bridge";
import { rtcReset } from "./rtc/goldfish";
import { aclintReset } from "./timer/aclint";
import { virtioInit } from "./virtio/attach";

export function resetDevices(): void {
  pciInit();
  virtioInit();
  nvmeInit();
  ahciInit();
  uartReset();
  plicReset();
  aclintReset();
  rtcReset();
  resetExitCounters();
}
