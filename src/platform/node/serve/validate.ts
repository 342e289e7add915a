// Checks what came over the API: the first mistake is told by its path, its value, and what could
// be written instead.
import * as v from "valibot";
import { mistakeOf, pathText, shown } from "../../../validate.ts";

export class RequestError extends Error {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413;
  constructor(status: RequestError["status"], message: string) {
    super(message);
    this.status = status;
  }
}

/** The body as the schema says. @throws RequestError with status 400 */
export function check<Schema extends v.GenericSchema>(schema: Schema, body: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, body, { abortEarly: true });
  if (result.success) return result.output;
  const { keys, value, isUnknown, message } = mistakeOf(result.issues[0]);
  const where = pathText(keys);
  if (isUnknown) throw new RequestError(400, `${where} is not known: ${message}`);
  const advice = value === undefined && result.issues[0].type === "strict_object" ? "add it" : message;
  throw new RequestError(400, `${where === "" ? "the body" : where} is ${shown(value)}: ${advice}`);
}

// --- what schemas are made of ---

export function text(most: number, what: string) {
  const message = `write ${what}, at most ${most} characters`;
  return v.pipe(v.string(message), v.minLength(1, message), v.maxLength(most, message));
}

export const flag = v.boolean("write true or false");
