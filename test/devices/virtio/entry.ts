// AssemblyScript: what the tests of virtio devices compile: the bus with everything on it, no CPU.

export { busRead, busWrite } from "../../../assembly/bus";
export { diskDone } from "../../../assembly/devices/block/disk-done";
export { disksUpdate, sendDiskInterrupts } from "../../../assembly/devices/block/disk-interrupts";
export { virtioBlkResize } from "../../../assembly/devices/block/virtio-blk";
export { virtioPmemSetPlace } from "../../../assembly/devices/block/virtio-pmem";
export {
  virtioConsoleGuestOpen,
  virtioConsoleInput,
  virtioConsoleInputReady,
  virtioConsoleResize,
  virtioConsoleSetPort,
} from "../../../assembly/devices/console/virtio-console";
export { customRequestDone } from "../../../assembly/devices/custom/request-done";
export {
  virtioCustomConfig,
  virtioCustomGive,
  virtioCustomSetConfig,
} from "../../../assembly/devices/custom/virtio-custom";
export { shareDone } from "../../../assembly/devices/files/share-done";
export { virtio9pSetTag } from "../../../assembly/devices/files/virtio-9p";
export {
  virtioBalloonAskStats,
  virtioBalloonPages,
  virtioBalloonReported,
  virtioBalloonSetTarget,
  virtioBalloonStats,
  virtioBalloonStatsKnown,
  virtioBalloonStatsSerial,
} from "../../../assembly/devices/memory/virtio-balloon";
export {
  virtioMemPlugged,
  virtioMemSetPlace,
  virtioMemSetRequested,
} from "../../../assembly/devices/memory/virtio-mem";
export { netConfigure, netInit } from "../../../assembly/devices/net/port";
export { netDeliver, netHolds, netLink, netOffloads, netRoom } from "../../../assembly/devices/net/ports";
export { netSegments } from "../../../assembly/devices/net/segments";
export { pciInit, pciReset } from "../../../assembly/devices/pci/host-bridge";
export {
  attachVirtioMmio,
  attachVirtioPci,
  virtioInit,
  virtioKind,
  virtioMisuses,
  virtioReset,
  virtioResume,
  virtioStrays,
  virtioValidate,
} from "../../../assembly/devices/virtio/attach";
export { virtioPoll } from "../../../assembly/devices/virtio/service";
export { vsockGive, vsockRoom, vsockSetCid, vsockUp } from "../../../assembly/devices/vsock/virtio-vsock";
export { dmaRead, dmaWrite } from "../../../assembly/memory/ram";
