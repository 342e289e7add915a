// --pmem FILE[,ro|,overlay]. The file's name may hold commas: settings are taken off the end as
// long as they are known ones.
import { OptionError } from "../errors.ts";

export interface PmemArgument {
  path: string;
  readOnly: boolean;
  overlay: boolean;
}

const SETTINGS = ["ro", "overlay"];

export function parsePmem(text: string): PmemArgument {
  const parts = text.split(",");
  const settings = new Set<string>();
  while (parts.length > 1 && SETTINGS.includes(parts[parts.length - 1])) settings.add(parts.pop() as string);

  const last = parts[parts.length - 1];
  const looksLikeSetting = parts.length > 1 && (/^[a-z]+=/.test(last) || /^[a-z]{1,8}$/.test(last));
  if (looksLikeSetting) throw new OptionError(`pmem setting "${last}" is not known: write ${SETTINGS.join(", ")}`);
  const path = parts.join(",");
  if (path === "") throw new OptionError("pmem needs a file: write --pmem FILE");
  if (settings.size === SETTINGS.length) {
    throw new OptionError(
      `pmem ${path}: "ro" and "overlay" exclude each other: an overlay is written, and thrown away`,
    );
  }
  return { path, readOnly: settings.has("ro"), overlay: settings.has("overlay") };
}
