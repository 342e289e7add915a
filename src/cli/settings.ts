// "NAME[,key=value...]": what several options of ours are written as. A value may hold
// anything but a comma.
import { OptionError } from "../errors.ts";

/** A file's name, which may hold commas, and the settings behind it. */
export interface FileSettings {
  path: string;
  settings: Set<string>;
}

/**
 * "FILE[,setting...]" of option `what`: settings are taken off the end as long as they are known ones.
 * @throws OptionError where what is left ends in something like a setting; `known` is what could be written instead.
 */
export function takeFile(
  text: string,
  what: string,
  isSetting: (text: string) => boolean,
  known: readonly string[],
): FileSettings {
  const parts = text.split(",");
  const settings = new Set<string>();
  while (parts.length > 1 && isSetting(parts[parts.length - 1])) settings.add(parts.pop() as string);
  const last = parts[parts.length - 1];
  if (parts.length > 1 && (/^[a-z]+=/.test(last) || /^[a-z]{1,8}$/.test(last))) {
    throw new OptionError(`${what} setting "${last}" is not known: write ${known.join(", ")}`);
  }
  return { path: parts.join(","), settings };
}

/** What "ro" and "overlay" say. @throws OptionError if both are there. */
export function takeAccess({ path, settings }: FileSettings, what: string): { readOnly: boolean; overlay: boolean } {
  const [readOnly, overlay] = [settings.has("ro"), settings.has("overlay")];
  if (readOnly && overlay) {
    throw new OptionError(
      `${what} ${path}: "ro" and "overlay" exclude each other: an overlay is written, and thrown away`,
    );
  }
  return { readOnly, overlay };
}

export interface NamedSettings {
  name: string;
  /** The values of each setting, in order. A setting without a value has "on". */
  settings: Map<string, string[]>;
}

/** `what` names the option in messages. */
export function parseSettings(text: string, what: string): NamedSettings {
  const [name, ...rest] = text.split(",");
  if (name === "" || name.includes("=")) {
    throw new OptionError(`${what} "${text}" does not begin with a name: write ${what} NAME,setting=value`);
  }
  const settings = new Map<string, string[]>();
  for (const part of rest) {
    const at = part.indexOf("=");
    const key = at < 0 ? part : part.slice(0, at);
    if (key === "") throw new OptionError(`${what} ${name} has an empty setting: leave the comma out`);
    const values = settings.get(key) ?? [];
    values.push(at < 0 ? "on" : part.slice(at + 1));
    settings.set(key, values);
  }
  return { name, settings };
}

/** Takes setting `key` out of the others: its value, or undefined. @throws OptionError if it is given twice. */
export function takeOne(from: NamedSettings, key: string, what: string): string | undefined {
  const values = from.settings.get(key);
  from.settings.delete(key);
  if (values !== undefined && values.length > 1) {
    throw new OptionError(`${what} ${from.name}: ${key} is given ${values.length} times: give it once`);
  }
  return values?.[0];
}

/** The same as a whole number. */
export function takeNumber(from: NamedSettings, key: string, what: string): number | undefined {
  const text = takeOne(from, key, what);
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(text)) {
    throw new OptionError(`${what} ${from.name}: ${key} is "${text}": write a whole number`);
  }
  return Number(text);
}

/** The same as one of `choices`. */
export function takeChoice<T extends string>(
  from: NamedSettings,
  key: string,
  what: string,
  choices: readonly T[],
): T | undefined {
  const text = takeOne(from, key, what);
  if (text === undefined || choices.includes(text as T)) return text as T | undefined;
  throw new OptionError(`${what} ${from.name}: ${key} is "${text}": write ${choices.join(" or ")}`);
}
