// What values of options can be: each is checked as the command line is read, and a mistake is one of usage.
import { InvalidArgumentError } from "commander";
import { parseCpu } from "../machine/cpu.ts";
import { parseCodeCache, parseHotplug, parseMemory } from "../machine/memory-size.ts";

/** Lets commander report what `parse` finds wrong, as a mistake of usage. */
export function checked<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
    }
  };
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return checked((text) => {
    const value = Number(text);
    if (!/^[0-9]+$/.test(text) || value < least || value > most) {
      throw new Error(`write a whole number from ${least} to ${most}`);
    }
    return value;
  });
}

export const seconds = checked((text: string) => {
  const value = Number(text);
  if (!(value > 0 && value <= 1e6)) throw new Error("write a number of seconds above 0, at most 1000000");
  return value;
});

export const seed = checked((text: string) => {
  if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(text) || BigInt(text) >> 64n > 0n) {
    throw new Error("write a whole number below 2^64, decimal or hexadecimal with 0x");
  }
  return BigInt(text);
});

/** Text that `parse` finds nothing wrong with, as it is. */
function sound(parse: (text: string) => unknown): (text: string) => string {
  return checked((text) => {
    parse(text);
    return text;
  });
}

export const memory = sound(parseMemory);
export const hotplugMemory = sound(parseHotplug);
export const codeCache = sound(parseCodeCache);
export const cpu = sound(parseCpu);
