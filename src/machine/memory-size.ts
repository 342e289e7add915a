// Sizes of guest RAM: the --memory option and its bounds.
import { OptionError } from "../errors.ts";

const KIB = 1024;
export const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Guest RAM shares a 4 GiB linear memory with the engine. */
export const MEMORY_MOST = 3 * GIB;
/** Room for a small bare-metal program and its device tree. */
export const MEMORY_LEAST = 4 * MIB;

/** Room for a few modules of translated code, and for all that the engine keeps count of. */
const CODE_CACHE_LEAST = MIB;
const CODE_CACHE_MOST = 256 * MIB;

const UNITS: Record<string, number> = { "": MIB, K: KIB, M: MIB, G: GIB };

/**
 * Bytes of RAM that `text` asks for: a number with K, M or G (powers of 1024), MiB without.
 * @throws OptionError if it is no size, or outside what the machine can have.
 */
export function parseMemory(text: string): number {
  const bytes = parseSize(text, "memory");
  checkMemory(bytes, `"${text}"`);
  return bytes;
}

/** Bytes of memory to plug that a size asks for, in blocks of 2 MiB. @throws OptionError if it is no size, or too large. */
export function parseHotplug(size: number | string): number {
  const bytes = typeof size === "number" ? size : parseSize(size, "hotplug memory");
  if (!(bytes >= 2 * MIB && bytes <= MEMORY_MOST) || bytes % (2 * MIB) !== 0) {
    throw new OptionError(
      `hotplug memory ${JSON.stringify(size)} cannot be: write a multiple of 2M, at most ${MEMORY_MOST / MIB}M with all other memory`,
    );
  }
  return bytes;
}

/** Bytes that a size asks for: a number with K, M or G, MiB without. @throws OptionError if it is none. */
export function parseSize(text: string, what: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text.trim());
  if (match === null)
    throw new OptionError(`${what} "${text}" is not a size: write a number of MiB, or one with K, M or G, as in 512M`);
  return Number(match[1]) * UNITS[match[2].toUpperCase()];
}

/** Bytes of host memory that translated code may take. @throws OptionError if it is no size, or outside the bounds. */
export function parseCodeCache(size: number | string): number {
  const bytes = typeof size === "number" ? size : parseSize(size, "code cache");
  if (!(bytes >= CODE_CACHE_LEAST && bytes <= CODE_CACHE_MOST)) {
    throw new OptionError(`code cache ${JSON.stringify(size)} is out of bounds: write a size from 1M to 256M`);
  }
  return Math.floor(bytes);
}

/** @throws OptionError unless a machine can have `bytes` of RAM. `shown` is how the message names them. */
export function checkMemory(bytes: number, shown: string = `of ${bytes} bytes`): void {
  if (bytes > MEMORY_MOST)
    throw new OptionError(`memory ${shown} is more than the machine can have: at most ${MEMORY_MOST / MIB}M`);
  if (!(bytes >= MEMORY_LEAST))
    throw new OptionError(`memory ${shown} is less than a guest needs: at least ${MEMORY_LEAST / MIB}M`);
  if (bytes % 4096 !== 0) throw new OptionError(`memory ${shown} is not a whole number of 4 KiB pages: round it to 4K`);
}
