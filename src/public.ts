// What both entry points of the library export.
export type { DiskBackend } from "./backend/disk.ts";
export { DiscardKind } from "./backend/disk.ts";
export { memoryDisk } from "./backend/memory-disk.ts";
export { overlayDisk } from "./backend/overlay-disk.ts";
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
  type CrashSite,
  DiskError,
  Errno,
  ExecError,
  GuestCrash,
  HostError,
  OptionError,
  ParavaneError,
} from "./errors.ts";
export { defaultCommandLine } from "./guest/create.ts";
export type { ExecOptions, ExecResult } from "./guest/exec.ts";
export type { ExitInfo } from "./guest/exit-info.ts";
export type { Guest, GuestConsole, GuestPort } from "./guest/guest.ts";
export type { BootKind, ClockKind, ConsoleKind, DiskInterface, DiskOptions, GuestOptions } from "./guest/options.ts";
export { BootError } from "./machine/boot-error.ts";
