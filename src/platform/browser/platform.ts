// Where the library runs in browsers: a page or a worker.
import { HostError } from "../../errors.ts";
import type { Platform } from "../../guest/platform.ts";
import { NET_BACKENDS } from "./net-backends.ts";

const RANDOM_CHUNK = 65_536;

// Written out so that bundlers find them and copy the modules along.
const ADDRESSES = {
  engine: () => new URL("../build/engine.wasm", import.meta.url),
  inspect: () => new URL("../build/inspect.wasm", import.meta.url),
};

async function load(name: keyof typeof ADDRESSES): Promise<Response> {
  const url = ADDRESSES[name]();
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new HostError(`${url} cannot be fetched: serve the package's build folder beside its dist folder`, { cause });
  }
  if (!response.ok) {
    throw new HostError(`${url} answered ${response.status}: serve the package's build folder beside its dist folder`);
  }
  return response;
}

/** A page blocks on nothing; a worker may. */
function blockingSleep(): ((milliseconds: number) => void) | undefined {
  const inWorker = typeof document === "undefined";
  if (!inWorker || typeof SharedArrayBuffer === "undefined") return undefined;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  return (milliseconds) => {
    Atomics.wait(sleeper, 0, 0, milliseconds);
  };
}

/** A message comes round without the delay that browsers add to timers. */
function messageYield(): (step: () => void) => void {
  const { port1, port2 } = new MessageChannel();
  const steps: (() => void)[] = [];
  port1.onmessage = () => steps.shift()?.();
  return (step) => {
    steps.push(step);
    port2.postMessage(null);
  };
}

export const browserPlatform: Platform = {
  now: () => performance.now(),
  yieldToHost: messageYield(),
  startTimer: (milliseconds, wake) => {
    const timer = setTimeout(wake, milliseconds);
    return () => clearTimeout(timer);
  },
  blockFor: blockingSleep(),
  randomBytes: (into) => {
    for (let at = 0; at < into.length; at += RANDOM_CHUNK) {
      into.set(crypto.getRandomValues(new Uint8Array(Math.min(RANDOM_CHUNK, into.length - at))), at);
    }
  },
  netBackends: NET_BACKENDS,
  loadModule: async (name) => WebAssembly.compile(await (await load(name)).arrayBuffer()),
  loadBytes: async (name) => (await load(name)).arrayBuffer(),
};
