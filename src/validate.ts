// What schemas of input from outside are made of (valibot), and how messages name a place in it and a value.
import * as v from "valibot";

/** A whole number in these bounds. */
export function whole(least: number, most: number) {
  const message = `write a whole number from ${least} to ${most}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}

/** Arrays, dates and the like are no objects here, though a validator would look into them. */
function plain(message: string) {
  return v.custom<Record<string, unknown>>((value) => {
    if (typeof value !== "object" || value === null) return false;
    const prototype = Object.getPrototypeOf(value);
    return prototype === Object.prototype || prototype === null;
  }, message);
}

/** An object with these members and no others. */
export function object<const Members extends v.ObjectEntries>(members: Members) {
  const message = `write an object with ${Object.keys(members).join(", ")}`;
  return v.pipe(plain(message), v.strictObject(members, message));
}

/** An object of values by name. */
export function byName<
  const Key extends v.BaseSchema<string, string, v.BaseIssue<unknown>>,
  const Value extends v.BaseSchema<unknown, unknown, v.BaseIssue<unknown>>,
>(key: Key, value: Value, message: string) {
  return v.pipe(plain(message), v.record(key, value, message));
}

/** One of these words. */
export function choice<const Choices extends readonly [string, ...string[]]>(...choices: Choices) {
  return v.picklist(choices, `write ${choices.map((it) => `"${it}"`).join(" or ")}`);
}

/** A value as a message shows it. */
export function shown(value: unknown): string {
  if (value === undefined) return "missing";
  let text: string;
  try {
    text =
      typeof value === "bigint" || typeof value === "number" ? String(value) : (JSON.stringify(value) ?? typeof value);
  } catch {
    text = `a ${typeof value} that is no JSON`;
  }
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** "calls.budgets.dbcn", "list[0]"; "" for the whole. */
export function pathText(keys: readonly unknown[]): string {
  const parts = keys.map((key, n) => {
    if (typeof key === "number") return `[${key}]`;
    const text = shown(key);
    return typeof key === "string" && PLAIN_KEY.test(key) ? `${n > 0 ? "." : ""}${key}` : `[${text}]`;
  });
  return parts.join("");
}

/** What a schema found wrong, as a message tells it. */
export interface Mistake {
  keys: unknown[];
  /** What stands there; undefined if something is missing. */
  value: unknown;
  /** There is no member of that name; `message` says which there are. */
  isUnknown: boolean;
  message: string;
}

export function mistakeOf(issue: v.BaseIssue<unknown>): Mistake {
  const keys = (issue.path ?? []).map((item) => item.key);
  const isObject = issue.type === "strict_object";
  // A key that cannot be is its own value; one that is missing has none.
  const isKey = issue.path?.at(-1)?.origin === "key" && !isObject;
  return {
    keys,
    value: isKey ? keys.at(-1) : issue.input,
    // An unknown member has the message of the object that it is in; its own value says nothing.
    isUnknown: isObject && issue.expected === "never",
    message: issue.message,
  };
}
