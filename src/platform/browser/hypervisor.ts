// Guests in Web Workers.
import type { DiskOptions, GuestOptions, NetOptions, PmemOptions } from "../../guest/options.ts";
import type { Channel, Movable, PortLike } from "../../hypervisor/channel.ts";
import type { NotPlain } from "../../hypervisor/guest-worker.ts";
import type { WorkerHandle } from "../../hypervisor/hosted-guest.ts";
import { Hypervisor, type HypervisorHost, type HypervisorOptions } from "../../hypervisor/hypervisor.ts";
import { guestBytes } from "../../hypervisor/reserve.ts";

/** A network device of a hosted guest: on a backend that its own worker has by name, or on a switch of the hypervisor's. */
export interface HostedNetOptions extends Omit<NetOptions, "backend" | "pcap"> {
  backend?: string;
  /** The name of a switch: guests that name the same one see each other. */
  switch?: string;
}

type Replaced = "nets" | "disks" | "pmem" | "shares" | "vsock";

/**
 * What a hosted guest is made of: createGuest()'s options, as far as they are plain data. They are copied for the guest's
 * worker; `bytes` on a SharedArrayBuffer are shared instead, so that what the guest writes is seen.
 */
export interface HostedGuestOptions extends Omit<GuestOptions, NotPlain | Replaced> {
  nets?: HostedNetOptions[];
  disks?: Omit<DiskOptions, "backend">[];
  pmem?: Omit<PmemOptions, "backend">[];
}

const GIB = 2 ** 30;
/** Of a browser that does not tell how much memory the device has. */
const UNKNOWN_MEMORY = 4;

// Written out so that bundlers find them, and bundle the workers too.
const WORKERS = {
  guest: () => new Worker(new URL("./browser-guest-worker.js", import.meta.url), { type: "module" }),
  switches: () => new Worker(new URL("./browser-switch-worker.js", import.meta.url), { type: "module" }),
};

function startWorker(kind: keyof typeof WORKERS): WorkerHandle {
  const worker = WORKERS[kind]();
  let isTold = false;
  const channel: Channel = {
    post: (message, transfer = []) =>
      worker.postMessage(message, [...transfer] as readonly Movable[] as Transferable[]),
    listen(listener) {
      worker.onmessage = ({ data }) => listener(data);
    },
    close: () => {},
  };
  return {
    channel,
    onFailure(listener) {
      const tell = (why: string) => {
        if (!isTold) listener(new Error(why));
        isTold = true;
      };
      // A script that cannot be fetched is an event without a message.
      worker.onerror = (event) => tell(event.message || "its script cannot be loaded: serve the package's dist folder");
      worker.onmessageerror = () => tell("a message of its cannot be read");
    },
    terminate() {
      isTold = true;
      worker.terminate();
    },
  };
}

const host: HypervisorHost<HostedGuestOptions> = {
  startGuestWorker: () => startWorker("guest"),
  startSwitchWorker: () => startWorker("switches"),
  createPorts() {
    const { port1, port2 } = new MessageChannel();
    return [port1, port2] as unknown as [PortLike, PortLike];
  },
  bytesOf: ({ pmem = [], ...sized }) =>
    guestBytes(
      sized,
      pmem.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0),
    ),
  get cores() {
    return navigator.hardwareConcurrency || 1;
  },
  get memory() {
    // In GiB, rounded and at most 8 (W3C Device Memory); a page is one of many on its device.
    const { deviceMemory = UNKNOWN_MEMORY } = navigator as { deviceMemory?: number };
    return Math.floor((deviceMemory * GIB) / 2);
  },
};

/**
 * A hypervisor: guests in Web Workers of their own, with a bound on the memory that they take together (default: half of
 * what the browser says that the device has). In a page that is not cross-origin isolated there is no memory for guests to share
 * processor time by: then weights mean nothing.
 * @throws OptionError if `memory` is no number of bytes, or `cores` no number of cores.
 */
export function createHypervisor(options: HypervisorOptions = {}): Hypervisor<HostedGuestOptions> {
  return new Hypervisor(host, options);
}
