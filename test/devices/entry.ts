// AssemblyScript: what the tests of the board's devices compile: the bus with everything on it, no CPU.

export { busMapped, busRead, busWrite } from "../../assembly/bus";
export {
  ahciDiskDone,
  ahciHasWork,
  ahciInit,
  ahciPoll,
  ahciReset,
  ahciResume,
  ahciValidate,
  attachAhci,
} from "../../assembly/devices/block/ahci";
export { disksUpdate, sendDiskInterrupts } from "../../assembly/devices/block/disk-interrupts";
export {
  attachNvme,
  nvmeDiskDone,
  nvmeInit,
  nvmeLook,
  nvmeReset,
  nvmeResume,
  nvmeValidate,
} from "../../assembly/devices/block/nvme";
export { uartFlushAll, uartInput, uartReset, uartRxRoom, uartValidate } from "../../assembly/devices/console/ns16550a";
export { attachCustom, customInterrupt, customValidate } from "../../assembly/devices/custom/custom";
export { aplicReset, aplicValidate } from "../../assembly/devices/irqchip/aplic";
export {
  imsicClaim,
  imsicRead,
  imsicRegisterWrite,
  imsicReset,
  imsicTop,
  imsicValidate,
} from "../../assembly/devices/irqchip/imsic";
export { plicReset, plicValidate } from "../../assembly/devices/irqchip/plic";
export { raiseIrq } from "../../assembly/devices/irqchip/raise";
export {
  attachE1000,
  e1000HasWork,
  e1000Init,
  e1000Poll,
  e1000Reset,
  e1000Validate,
} from "../../assembly/devices/net/e1000";
export { netConfigure, netInit } from "../../assembly/devices/net/port";
export { netDeliver, netHolds, netLink, netOffloads, netRoom } from "../../assembly/devices/net/ports";
export { netSegments } from "../../assembly/devices/net/segments";
export { setConfigWindow } from "../../assembly/devices/pci/config";
export {
  addBar,
  addCapability,
  addFunction,
  configSet8,
  configSet32,
  configWritable,
} from "../../assembly/devices/pci/function";
export { pciInit, pciReset, pciValidate } from "../../assembly/devices/pci/host-bridge";
export { setIntx } from "../../assembly/devices/pci/intx";
export { addMsix, clearMsix, raiseMsix } from "../../assembly/devices/pci/msix";
export { rtcReset, rtcValidate } from "../../assembly/devices/rtc/goldfish";
export {
  aclintReset,
  aclintValidate,
  mtime,
  nextDeadline,
  setSupervisorTimer,
  supervisorTimer,
  updateTimers,
} from "../../assembly/devices/timer/aclint";
export {
  countBar,
  countExit,
  countHypercall,
  resetExitCounters,
  validateExitCounters,
} from "../../assembly/exits";
