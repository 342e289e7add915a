// --policy FILE.json: what the guest may do.
import { readFile } from "node:fs/promises";
import { OptionError } from "../errors.ts";
import { type Policy, parsePolicy } from "../hypercall/policy.ts";

/** A policy is a page of JSON; a larger file is another one. */
const MOST_BYTES = 1 << 20;

/** @throws OptionError if the file cannot be read, is no JSON, or holds no policy. */
export async function readPolicy(path: string): Promise<Policy> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new OptionError(`policy ${path} cannot be read (${reason}): give the path of a JSON file`, { cause });
  }
  if (text.length > MOST_BYTES)
    throw new OptionError(`policy ${path} is larger than 1 MiB: give a JSON file with a policy`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new OptionError(`policy ${path} is no JSON (${reason}): correct it there`, { cause });
  }
  return parsePolicy(value);
}
