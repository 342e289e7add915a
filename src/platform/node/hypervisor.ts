// Guests in worker threads.
import { existsSync, statSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { MessageChannel, Worker } from "node:worker_threads";
import { HostError } from "../../errors.ts";
import type { Channel, Movable, PortLike } from "../../hypervisor/channel.ts";
import type { NotPlain } from "../../hypervisor/guest-worker.ts";
import type { WorkerHandle } from "../../hypervisor/hosted-guest.ts";
import { Hypervisor, type HypervisorHost, type HypervisorOptions } from "../../hypervisor/hypervisor.ts";
import { guestBytes } from "../../hypervisor/reserve.ts";
import type { NodeGuestOptions, NodeNetOptions } from "./options.ts";

/** A network device of a hosted guest: on a backend that its own worker opens, or on a switch of the hypervisor's. */
export interface HostedNetOptions extends Omit<NodeNetOptions, "backend" | "pcap"> {
  /** The name of a backend, such as "user". */
  backend?: string;
  /** The name of a switch: guests that name the same one see each other. */
  switch?: string;
  /** A file. */
  pcap?: string;
}

/** What a hosted guest is made of: createGuest()'s options, as far as they are plain data. Files are given by path. */
export interface HostedGuestOptions extends Omit<NodeGuestOptions, NotPlain | "nets"> {
  nets?: HostedNetOptions[];
}

/** Heap that JavaScript of a guest's worker may use: guests are WebAssembly, which is not part of it. */
const WORKER_HEAP_MIB = 512;
const FOLDERS = ["./", "../../../dist/"];

function workerFile(name: string): string {
  for (const folder of FOLDERS) {
    const path = fileURLToPath(new URL(`${folder}${name}.js`, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new HostError(`${name}.js is missing beside the library: install the package anew, or run npm run build`);
}

function startWorker(name: string): WorkerHandle {
  const worker = new Worker(workerFile(name), { resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MIB } });
  let isTold = false;
  const channel: Channel = {
    post: (message, transfer = []) => worker.postMessage(message, transfer as readonly Movable[] as ArrayBuffer[]),
    listen: (listener) => void worker.on("message", listener),
    close: () => {},
  };
  return {
    channel,
    onFailure(listener) {
      worker.on("error", (error) => {
        if (!isTold) listener(error);
        isTold = true;
      });
      worker.on("exit", (code) => {
        if (!isTold) listener(new Error(`it ended with status ${code}`));
        isTold = true;
      });
    },
    terminate() {
      isTold = true;
      void worker.terminate();
    },
  };
}

function bytesOf({ pmem = [], ...sized }: HostedGuestOptions): number {
  const persistent = pmem.map(({ path, bytes }) => {
    if (bytes !== undefined) return bytes.length;
    // A file that is not there is told when it is opened.
    return path !== undefined && existsSync(path) ? statSync(path).size : 0;
  });
  return guestBytes(
    sized,
    persistent.reduce((sum, size) => sum + size, 0),
  );
}

const host: HypervisorHost<HostedGuestOptions> = {
  startGuestWorker: () => startWorker("guest-worker"),
  startSwitchWorker: () => startWorker("switch-worker"),
  createPorts() {
    const { port1, port2 } = new MessageChannel();
    return [port1, port2] as unknown as [PortLike, PortLike];
  },
  bytesOf,
  get cores() {
    return availableParallelism();
  },
  get memory() {
    // A control group may leave less than the machine has.
    const most = process.constrainedMemory() ?? 0;
    const all = most > 0 ? Math.min(most, totalmem()) : totalmem();
    return Math.floor(all * 0.9);
  },
};

/**
 * A hypervisor: guests in workers of their own, with a bound on the memory that they take together.
 * @throws OptionError if `memory` is no number of bytes, or `cores` no number of cores.
 */
export function createHypervisor(options: HypervisorOptions = {}): Hypervisor<HostedGuestOptions> {
  return new Hypervisor(host, options);
}
