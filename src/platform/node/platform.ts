// Where the library runs in Node.
import { webcrypto } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { HostError } from "../../errors.ts";
import type { Platform } from "../../guest/platform.ts";
import { nodeAbilities } from "./compat/abilities.ts";
import { unpack } from "./compat/unpack.ts";
import { buildDebianGuest } from "./debian/build.ts";
import { NET_BACKENDS } from "./net-backends.ts";

/** The package's modules, from the bundle (dist/) and from the sources (src/platform/node/). */
const FOLDERS = ["../build/", "../../../build/"];

/** The platform's generator fills at most this much in a call. */
const RANDOM_CHUNK = 65_536;

async function readModule(name: string): Promise<Uint8Array<ArrayBuffer>> {
  for (const folder of FOLDERS) {
    const path = fileURLToPath(new URL(`${folder}${name}.wasm`, import.meta.url));
    if (!existsSync(path)) continue;
    try {
      return await readFile(path);
    } catch (cause) {
      throw new HostError(`${path} cannot be read`, { cause });
    }
  }
  throw new HostError(
    `build/${name}.wasm is missing: run \`npm run build\` in a checkout, or install the package again`,
  );
}

/** Compiled once in a process. */
const modules = new Map<string, Promise<WebAssembly.Module>>();

/** Never notified: waiting on it is a sleep. */
const sleeper = new Int32Array(new SharedArrayBuffer(4));

export const nodePlatform: Platform = {
  now: () => performance.now(),
  yieldToHost: (step) => {
    setImmediate(step);
  },
  startTimer: (milliseconds, wake) => {
    const timer = setTimeout(wake, milliseconds);
    return () => clearTimeout(timer);
  },
  blockFor: (milliseconds) => {
    Atomics.wait(sleeper, 0, 0, milliseconds);
  },
  randomBytes: (into) => {
    for (let at = 0; at < into.length; at += RANDOM_CHUNK) {
      // The engine's memory may be shared, which the generator refuses: fill a buffer of our own.
      into.set(webcrypto.getRandomValues(new Uint8Array(Math.min(RANDOM_CHUNK, into.length - at))), at);
    }
  },
  netBackends: NET_BACKENDS,
  loadModule: (name) => {
    let module = modules.get(name);
    if (module === undefined) {
      module = readModule(name).then((bytes) => WebAssembly.compile(bytes));
      modules.set(name, module);
      module.catch(() => modules.delete(name));
    }
    return module;
  },
  loadBytes: readModule,
  abilities: nodeAbilities,
  unpack,
  loadFirmware: async (progress) => readFile((await buildDebianGuest({ progress })).opensbi.dynamic),
};
