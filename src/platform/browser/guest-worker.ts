// The Web Worker of one hosted guest: an entry of its own.
import { createGuestOn } from "../../guest/create.ts";
import type { GuestOptions } from "../../guest/options.ts";
import { type PortLike, portChannel } from "../../hypervisor/channel.ts";
import { serveGuest } from "../../hypervisor/guest-worker.ts";
import type { HostedGuestOptions } from "./hypervisor.ts";
import { metered } from "./metered.ts";
import { browserPlatform } from "./platform.ts";

/** How long news may gather, in ms. */
const GATHER = 10;

const { platform, busySeconds } = metered(browserPlatform);

serveGuest<HostedGuestOptions>(portChannel(self as unknown as PortLike), {
  create: (config, listeners) => createGuestOn(platform, { ...(config as GuestOptions), ...listeners }),
  later: (step) => void setTimeout(step, GATHER),
  busySeconds,
  // Each worker's performance.now() begins at a time of its own.
  now: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
});
