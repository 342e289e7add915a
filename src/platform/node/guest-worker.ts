// The worker thread of one hosted guest: an entry of its own.
import { performance } from "node:perf_hooks";
import { type MessagePort, parentPort } from "node:worker_threads";
import { type PortLike, portChannel } from "../../hypervisor/channel.ts";
import { serveGuest } from "../../hypervisor/guest-worker.ts";
import { createGuest } from "../../index.ts";
import type { HostedGuestOptions } from "./hypervisor.ts";
import type { NodeGuestOptions } from "./options.ts";

/** How long news may gather, in ms. */
const GATHER = 10;

serveGuest<HostedGuestOptions>(portChannel(parentPort as MessagePort as unknown as PortLike), {
  create: (config, listeners) => createGuest({ ...(config as NodeGuestOptions), ...listeners }),
  later: (step) => void setTimeout(step, GATHER),
  now: () => Number(process.hrtime.bigint() / 1000n),
  busySeconds: () => performance.eventLoopUtilization().active / 1000,
});
