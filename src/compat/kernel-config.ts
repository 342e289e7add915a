// The configuration of a Linux kernel: embedded in its Image (CONFIG_IKCONFIG, kernel/configs.c),
// where it is a gzip file between two signatures, or as a file beside it, /boot/config-VERSION.
import { gunzip } from "../image/gunzip.ts";
import { findText } from "./bytes.ts";

/** Symbols without CONFIG_ and their values: y, m, a number or a string. What is not set is not there. */
export type KernelConfig = ReadonlyMap<string, string>;

const [START, END] = ["IKCFG_ST", "IKCFG_ED"];
const MOST_BYTES = 4 * 1024 * 1024;

/** What a .config file says. */
export function parseConfig(text: string): KernelConfig {
  const config = new Map<string, string>();
  for (const line of text.slice(0, MOST_BYTES).split("\n")) {
    const match = /^CONFIG_(\w+)=(.*)$/.exec(line);
    if (match) config.set(match[1], match[2].replace(/^"(.*)"$/, "$1"));
  }
  return config;
}

/** The configuration in a kernel's Image, if it has one. */
export async function embeddedConfig(image: Uint8Array): Promise<KernelConfig | undefined> {
  const start = findText(image, START);
  const end = start < 0 ? -1 : findText(image, END, start);
  if (end < 0) return undefined;
  try {
    const text = await gunzip(image.subarray(start + START.length, end), "the kernel's configuration", MOST_BYTES);
    return parseConfig(new TextDecoder().decode(text));
  } catch {
    // Something else with these eight letters, or damaged: there are other ways to find out.
    return undefined;
  }
}
