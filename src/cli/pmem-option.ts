// --pmem FILE[,ro|,overlay].
import { OptionError } from "../errors.ts";
import { takeAccess, takeFile } from "./settings.ts";

export interface PmemArgument {
  path: string;
  readOnly: boolean;
  overlay: boolean;
}

const SETTINGS = ["ro", "overlay"];

export function parsePmem(text: string): PmemArgument {
  const file = takeFile(text, "pmem", (setting) => SETTINGS.includes(setting), SETTINGS);
  if (file.path === "") throw new OptionError("pmem needs a file: write --pmem FILE");
  return { path: file.path, ...takeAccess(file, "pmem") };
}
