// The library for browsers. It needs a page (or worker) that may use WebAssembly; serve it
// with COOP and COEP headers for precise timers and shared memory.
import { createGuestOn } from "./guest/create.ts";
import type { Guest } from "./guest/guest.ts";
import type { GuestOptions } from "./guest/options.ts";
import { browserPlatform } from "./platform/browser/platform.ts";

export type { WispNetOptions } from "./backend/nat/wisp-net.ts";
export { wispNet } from "./platform/browser/wisp-net.ts";
export * from "./public.ts";

/**
 * Creates a guest and starts it.
 * @throws OptionError or BootError if the options cannot work, HostError if the host lacks something.
 */
export function createGuest(options: GuestOptions): Promise<Guest> {
  return createGuestOn(browserPlatform, options);
}
