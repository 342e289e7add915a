// What both entry points of the library export.

export type {
  NodeKind,
  OpenMode,
  ShareBackend,
  ShareChanges,
  ShareFile,
  ShareNode,
  ShareStat,
  ShareStatfs,
} from "./backend/9p/share-backend.ts";
export { LinuxErrno, ShareError } from "./backend/9p/share-error.ts";
export type { DiskBackend } from "./backend/disk.ts";
export { DiscardKind } from "./backend/disk.ts";
export { memoryDisk } from "./backend/memory-disk.ts";
export type { NatForward } from "./backend/nat/forward.ts";
export type { Nat, OpenForward } from "./backend/nat/nat.ts";
export type { NatOptions, UserNetOptions } from "./backend/nat/options.ts";
export type { NetBackend, NetFrame, NetGuest, NetOffloadRequest } from "./backend/net.ts";
export type { NetSettings } from "./backend/net-backends.ts";
export { overlayDisk } from "./backend/overlay-disk.ts";
export type { PcapSink } from "./backend/pcap.ts";
export { createSwitch, type Switch, type SwitchPort, type SwitchPortCounts } from "./backend/switch.ts";
export type { VsockBackend, VsockStream, VsockStreamEvents } from "./backend/vsock/vsock-backend.ts";
export type { DriverSet, UserProgram } from "./compat/driver-set.ts";
export type { FileSource } from "./compat/file-source.ts";
export type { HardwareDevice, HardwareModel, HostAbilities } from "./compat/hardware-model.ts";
export { checkHardwareModel, parseHardwareModel } from "./compat/hardware-model.ts";
export type { Verdict } from "./compat/verdict.ts";
export type { ExitCount } from "./engine/exit-counters.ts";
export type {
  EngineStep,
  ExitCause,
  RegionBlock,
  RegionCode,
  RegionExit,
  RegionInstruction,
  RegionPage,
  TranslatedRegion,
} from "./engine/regions.ts";
export {
  AgentError,
  CompatibilityError,
  type CrashSite,
  DiskError,
  Errno,
  ExecError,
  GuestCrash,
  GuestStateError,
  HostError,
  OptionError,
  ParavaneError,
} from "./errors.ts";
export { defaultCommandLine } from "./guest/create.ts";
export type { CustomDeviceHandle } from "./guest/custom-devices.ts";
export type { ExecOptions, ExecResult } from "./guest/exec.ts";
export type { ExitInfo } from "./guest/exit-info.ts";
export type { Guest, GuestConsole, GuestPort } from "./guest/guest.ts";
export type { MemoryStats, MemoryUsage } from "./guest/memory.ts";
export type {
  BootKind,
  ClockKind,
  ConsoleKind,
  DiskInterface,
  DiskOptions,
  GuestOptions,
  IrqchipKind,
  NetOptions,
  PmemOptions,
  ShareOptions,
  VsockOptions,
} from "./guest/options.ts";
export type { CallOptions } from "./guest/qemu-agent/connection.ts";
export type {
  AgentExecOptions,
  AgentExecResult,
  AgentInfo,
  AgentInterface,
  FreezeStatus,
  QemuAgent,
} from "./guest/qemu-agent/qemu-agent.ts";
export type { ArgumentType, CallArgument, CallCost, CallRow } from "./hypercall/call-row.ts";
export { CALLS } from "./hypercall/catalogue.ts";
export {
  type DefinedHypercall,
  defineHypercall,
  type HypercallArguments,
  type HypercallContext,
  type HypercallDefinition,
  type HypercallResult,
  type HypercallType,
  type HypercallValues,
} from "./hypercall/define-hypercall.ts";
export { hypercallHeader, hypercallStub } from "./hypercall/guest-sources.ts";
export { type DevicePolicy, type Policy, parsePolicy, type TokenBucket } from "./hypercall/policy.ts";
export type { CallRefusal, RefusalReason } from "./hypercall/refusals.ts";
export type { BudgetUse } from "./hypercall/table.ts";
export type { GuestStatistics, HostedExecOptions } from "./hypervisor/calls.ts";
export type { GuestEnd, GuestEvent, GuestState, HostedGuest } from "./hypervisor/hosted-guest.ts";
export type { Hypervisor, HypervisorOptions } from "./hypervisor/hypervisor.ts";
export { BootError } from "./machine/boot-error.ts";
export {
  type CustomDevice,
  type CustomRegister,
  type DefinedDevice,
  type DeviceDefinition,
  defineDevice,
} from "./machine/define-device.ts";
export type {
  VirtioDefinition,
  VirtioDevice,
  VirtioQueueDefinition,
  VirtioRequest,
} from "./machine/define-virtio.ts";
