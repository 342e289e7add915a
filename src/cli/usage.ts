// Mistakes on the command line, as the one line that every failure of ours is: commander's own
// messages said again so that they name the option, the value, and what to write instead.
import type { CommanderError } from "commander";
import { oneLine } from "./status.ts";

/** Commander's messages, and ours for them; the first that fits counts. */
const REWORDED: [RegExp, (...parts: string[]) => string][] = [
  // What our own parsers say mentions the value already where it matters.
  [
    /^option '(--[a-z]+)[^']*' argument '(.*)' is invalid\. (.*)$/s,
    (option, value, why) => (mentions(why, value) ? why : `${option} ${value || '""'}: ${why}`),
  ],
  [
    /^command-argument value '(.*)' is invalid for argument '(.*)'\. (.*)$/s,
    (value, name, why) => `${name} "${value}" is not known: ${why}`,
  ],
  [
    /^option '(--[a-z]+) (.*)' argument missing$/,
    (option, value) => `${option} needs a value: write ${option} ${value}`,
  ],
  [/^missing required argument '(.*)'$/, (name) => `the ${name} is missing: give one`],
  [
    /^too many arguments for '(.*)'\. Expected (\d+) arguments? but got (\d+)/,
    (command, most, got) =>
      most === "0"
        ? `${command} takes options alone, and got ${got} argument${got === "1" ? "" : "s"} more: quote values that hold spaces`
        : `${command} takes ${most} argument${most === "1" ? "" : "s"}, and got ${got}: leave out the others`,
  ],
];

/** Does the text name the value, and not just hold it, as "1024" holds "0"? */
function mentions(text: string, value: string): boolean {
  const at = value === "" ? -1 : text.indexOf(value);
  return at >= 0 && !/\w/.test(text.charAt(at - 1)) && !/\w/.test(text.charAt(at + value.length));
}

/** `choices` of an option come as a list without advice. */
function advise(text: string): string {
  return text.replace(
    /Allowed choices are (.*)\.$/,
    (_, list: string) => `write ${list.replace(/, ([^,]*)$/, " or $1")}`,
  );
}

/** One line for a mistake in the words of `paravane command`. */
export function usageMessage(error: CommanderError, command: string): string {
  // A suggestion stands on a line of its own, in parentheses.
  const [, text, suggestion] = /^(?:error: )?(.*?)(?:\s*\((Did you mean .*\?)\))?$/s.exec(error.message) ?? [];
  const said = advise((text ?? error.message).trim());
  let line = said;
  for (const [pattern, reword] of REWORDED) {
    const match = pattern.exec(said);
    if (match === null) continue;
    line = reword(...match.slice(1));
    break;
  }
  const hint = suggestion === undefined ? "" : `; ${suggestion.replace("Did", "did").replace(/\?$/, "?")}`;
  return `${oneLine(line.replace(/\.$/, ""))}${hint}; see \`paravane ${command}--help\``;
}
