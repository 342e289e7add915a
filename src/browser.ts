// The library for browsers. It needs a page (or worker) that may use WebAssembly; serve it
// with COOP and COEP headers for precise timers and shared memory.
import { type CheckedGuest, checkGuestOn } from "./compat/check-guest.ts";
import type { HardwareModel } from "./compat/hardware-model.ts";
import { probeHardware } from "./compat/probe-hardware.ts";
import type { Verdict } from "./compat/verdict.ts";
import { createGuestOn } from "./guest/create.ts";
import type { Guest } from "./guest/guest.ts";
import type { GuestOptions } from "./guest/options.ts";
import type { Policy } from "./hypercall/policy.ts";
import { browserPlatform } from "./platform/browser/platform.ts";

export type { WispNetOptions } from "./backend/nat/wisp-net.ts";
export {
  createHypervisor,
  type HostedGuestOptions,
  type HostedNetOptions,
} from "./platform/browser/hypervisor.ts";
export { wispNet } from "./platform/browser/wisp-net.ts";
export * from "./public.ts";

/**
 * Creates a guest and starts it.
 * @throws OptionError or BootError if the options cannot work, HostError if the host lacks something.
 */
export function createGuest(options: GuestOptions): Promise<Guest> {
  return createGuestOn(browserPlatform, options);
}

/** What this browser offers its guests, in the terms of their drivers. */
export function hardwareModel(): Promise<HardwareModel> {
  return probeHardware(browserPlatform);
}

/**
 * Says before the boot which forms of which functions will work for a guest, and what is missing for the others. An initrd
 * may be plain or packed with gzip.
 * @throws BootError or ImageError for images that cannot be read.
 */
export async function checkGuest(
  guest: CheckedGuest & { hardware?: HardwareModel; policy?: Policy },
): Promise<Verdict[]> {
  return checkGuestOn(guest.hardware ?? (await hardwareModel()), guest);
}
