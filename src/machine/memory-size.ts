// Sizes of guest RAM: the --memory option and its bounds.
import { OptionError } from "../errors.ts";

const KIB = 1024;
export const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Guest RAM shares a 4 GiB linear memory with the engine. */
export const MEMORY_MOST = 3 * GIB;
/** Room for a small bare-metal program and its device tree. */
export const MEMORY_LEAST = 4 * MIB;

const UNITS: Record<string, number> = { "": MIB, K: KIB, M: MIB, G: GIB };

/**
 * Bytes of RAM that `text` asks for: a number with K, M or G (powers of 1024), MiB without.
 * @throws OptionError if it is no size, or outside what the machine can have.
 */
export function parseMemory(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text.trim());
  if (match === null)
    throw new OptionError(`memory "${text}" is not a size: write a number of MiB, or one with K, M or G, as in 512M`);
  const bytes = Number(match[1]) * UNITS[match[2].toUpperCase()];
  checkMemory(bytes, `"${text}"`);
  return bytes;
}

/** @throws OptionError unless a machine can have `bytes` of RAM. `shown` is how the message names them. */
export function checkMemory(bytes: number, shown: string = `of ${bytes} bytes`): void {
  if (bytes > MEMORY_MOST)
    throw new OptionError(`memory ${shown} is more than the machine can have: at most ${MEMORY_MOST / MIB}M`);
  if (!(bytes >= MEMORY_LEAST))
    throw new OptionError(`memory ${shown} is less than a guest needs: at least ${MEMORY_LEAST / MIB}M`);
  if (bytes % 4096 !== 0) throw new OptionError(`memory ${shown} is not a whole number of 4 KiB pages: round it to 4K`);
}
