// What a guest takes of its host at most, of which a hypervisor sets as much aside.
import { MIB, parseCodeCache, parseHotplug, parseMemory } from "../machine/memory-size.ts";

/** The engine's own memory (see bench/memory.ts). */
const ENGINE_BYTES = 24 * MIB;

/** The options of a guest that say how much memory it has. */
export interface SizedOptions {
  memory?: number | string;
  hotplugMemory?: number | string;
  codeCache?: number | string;
}

const sizeOf = (size: number | string, parse: (text: string) => number) =>
  typeof size === "number" ? size : parse(size);

/** Bytes of a guest whose persistent memory is `persistent` bytes. @throws OptionError for a size that is none. */
export function guestBytes(options: SizedOptions, persistent = 0): number {
  const { memory = "512M", hotplugMemory, codeCache = "16M" } = options;
  return (
    sizeOf(memory, parseMemory) +
    (hotplugMemory === undefined ? 0 : parseHotplug(hotplugMemory)) +
    persistent +
    sizeOf(codeCache, parseCodeCache) +
    ENGINE_BYTES
  );
}
