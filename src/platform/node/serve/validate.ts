// Checks what came over the API: the first mistake is told by its path, its value, and what could
// be written instead.
import * as v from "valibot";

export class RequestError extends Error {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413;
  constructor(status: RequestError["status"], message: string) {
    super(message);
    this.status = status;
  }
}

const MOST_SHOWN = 60;

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN - 3)}...` : text;
}

function pathOf(keys: readonly unknown[]): string {
  return keys.map((key, n) => (typeof key === "number" ? `[${key}]` : `${n > 0 ? "." : ""}${String(key)}`)).join("");
}

/** The body as the schema says. @throws RequestError with status 400 */
export function check<Schema extends v.GenericSchema>(schema: Schema, body: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, body, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = pathOf((issue.path ?? []).map(({ key }) => key));
  if (issue.type === "strict_object" && issue.expected === "never") {
    throw new RequestError(400, `${where} is not known: ${issue.message}`);
  }
  const value = issue.path?.at(-1)?.origin === "key" ? undefined : issue.input;
  throw new RequestError(400, `${where === "" ? "the body" : where} is ${shown(value)}: ${issue.message}`);
}

// --- what schemas are made of ---

export function whole(least: number, most: number) {
  const message = `write a whole number from ${least} to ${most}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}

export function text(most: number, what: string) {
  const message = `write ${what}, at most ${most} characters`;
  return v.pipe(v.string(message), v.minLength(1, message), v.maxLength(most, message));
}

export function choice<const Choices extends readonly [string, ...string[]]>(...choices: Choices) {
  return v.picklist(choices, `write ${choices.map((it) => `"${it}"`).join(" or ")}`);
}

export const flag = v.boolean("write true or false");

/** An object with these members and no others. */
export function object<const Members extends v.ObjectEntries>(members: Members) {
  return v.strictObject(members, `write an object with ${Object.keys(members).join(", ")}`);
}
