// Power-on of all devices at once: nothing attached, every register at its reset value.
import { resetExitCounters } from "../exits";
import { forgetRanges } from "../memory/backed";
import { ahciInit } from "./block/ahci";
import { resetModeration } from "./block/moderation";
import { nvmeInit } from "./block/nvme";
import { uartReset } from "./console/ns16550a";
import { customInit } from "./custom/custom";
import { aplicReset } from "./irqchip/aplic";
import { imsicReset } from "./irqchip/imsic";
import { plicReset } from "./irqchip/plic";
import { e1000Init } from "./net/e1000";
import { netInit } from "./net/port";
import { pciInit } from "./pci/host-bridge";
import { rtcReset } from "./rtc/goldfish";
import { aclintReset } from "./timer/aclint";
import { virtioInit } from "./virtio/attach";

export function resetDevices(): void {
  forgetRanges();
  pciInit();
  virtioInit();
  netInit();
  e1000Init();
  nvmeInit();
  ahciInit();
  resetModeration();
  customInit();
  uartReset();
  plicReset();
  aplicReset();
  imsicReset();
  aclintReset();
  rtcReset();
  resetExitCounters();
}
