// A host that has nothing: no disk, no wire, no devices of its own. For engines without a
// guest's host around them, which then replace what they have.
import type { EngineHost } from "./exports.ts";

const NO_DISK = -5; // EIO

export const idleHost: EngineHost = {
  now: () => 0,
  consoleOut: () => {},
  diskRead: () => NO_DISK,
  diskWrite: () => NO_DISK,
  diskFlush: () => NO_DISK,
  diskDiscard: () => NO_DISK,
  netSend: () => {},
  netReady: () => {},
  shareRequest: () => 0,
  vsockPacket: () => {},
  vsockReady: () => {},
  vsockReset: () => {},
  customRead: () => 0,
  customWrite: () => {},
  hypercall: () => 0,
  entropy: () => {},
};
