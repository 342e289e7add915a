// What the library needs from where it runs. platform/node and platform/browser provide
// it; nothing else of the library sees Node or the DOM.

import type { NetBackends } from "../backend/net-backends.ts";
import type { HostAbilities } from "../compat/hardware-model.ts";
import type { Unpack } from "../compat/initramfs.ts";

export interface Platform {
  /** Milliseconds on a clock that never goes back. Called often: it must be cheap. */
  now(): number;
  /** Calls `step` once after pending events of the host have had their turn. */
  yieldToHost(step: () => void): void;
  /** Calls `wake` after about `milliseconds`; the result cancels it. Keeps the process alive meanwhile. */
  startTimer(milliseconds: number, wake: () => void): () => void;
  /**
   * Blocks for a time too short for a timer to keep, without using the processor. Absent
   * where the host may not block.
   */
  blockFor?(milliseconds: number): void;
  /** Unpredictable bytes. */
  randomBytes(into: Uint8Array): void;
  /** Networks that this host has by name. */
  readonly netBackends: NetBackends;
  /** A module of the package, compiled. */
  loadModule(name: "engine"): Promise<WebAssembly.Module>;
  /** What this host has, for its hardware model. */
  abilities?(): Partial<HostAbilities>;
  /** Unpacks more than gzip. */
  readonly unpack?: Unpack;
  /** Firmware for a guest that is to be fully virtualized and brings none of its own; `progress` hears of what takes long. */
  loadFirmware?(progress: (line: string) => void): Promise<Uint8Array>;
  /** The bytes of one that is instantiated in another way. */
  loadBytes(name: "inspect"): Promise<Uint8Array | ArrayBuffer>;
}
