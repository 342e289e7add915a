// Checks what came over the API: the first mistake is told by its path, its value, and what could
// be written instead.
import * as v from "valibot";
import { pathText, shown } from "../../../validate.ts";

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
  const [issue] = result.issues;
  const where = pathText((issue.path ?? []).map(({ key }) => key));
  if (issue.type === "strict_object" && issue.expected === "never") {
    throw new RequestError(400, `${where} is not known: ${issue.message}`);
  }
  const value = issue.path?.at(-1)?.origin === "key" ? undefined : issue.input;
  const advice = value === undefined && issue.type === "strict_object" ? "add it" : issue.message;
  throw new RequestError(400, `${where === "" ? "the body" : where} is ${shown(value)}: ${advice}`);
}

// --- what schemas are made of ---

export function text(most: number, what: string) {
  const message = `write ${what}, at most ${most} characters`;
  return v.pipe(v.string(message), v.minLength(1, message), v.maxLength(most, message));
}

export const flag = v.boolean("write true or false");
