// What a policy can say, and how mistakes in it are told: by path, value, and what could be written instead.
import * as v from "valibot";
import { OptionError } from "../errors.ts";
import { checkMemory, parseMemory } from "../machine/memory-size.ts";
import { byName, choice, mistakeOf, object, pathText, shown, whole } from "../validate.ts";

/** 1 TiB, or as many operations. */
const MOST_TOKENS = 2 ** 40;
const MOST_MILLISECONDS = 86_400_000;
const MOST_NAMES = 256;

const bucket = object({
  size: whole(1, MOST_TOKENS),
  one_time_burst: v.optional(whole(0, MOST_TOKENS)),
  refill_time: whole(1, MOST_MILLISECONDS),
});

const NAMES = `write a list of at most ${MOST_NAMES} names of calls`;
const names = v.pipe(
  v.array(v.pipe(v.string("write the name of a call"), v.minLength(1, "write the name of a call")), NAMES),
  v.maxLength(MOST_NAMES, NAMES),
);

const FORMS = 'write a list of "emulated", "paravirt", or both';
const deviceName = /^(?:disk(?:[0-9]|[1-3][0-9]|4[0-7])|net[0-7]|console)$/;
const DEVICE_NAMES = "write disk0 to disk47, net0 to net7, or console";

const device = object({
  /** Forms in which the guest may have it. Default: both. */
  forms: v.optional(v.pipe(v.array(choice("emulated", "paravirt"), FORMS), v.minLength(1, FORMS))),
  operations: v.optional(bucket),
  bytes: v.optional(bucket),
  over: v.optional(choice("delay", "emulate")),
  /** Of a network device: frames that it gets. */
  receive: v.optional(object({ operations: v.optional(bucket), bytes: v.optional(bucket) })),
});

/** A budget of a device that runs: what is left out stays as it is, null takes a limit away. */
const change = { operations: v.optional(v.nullable(bucket)), bytes: v.optional(v.nullable(bucket)) };
const deviceChange = object({ ...change, receive: v.optional(object(change)) });

const CAP = "write a number of cores from 0.01 to 1";
const MEMORY = 'write bytes, or a size such as "512M"';

const policy = object({
  calls: v.optional(
    object({
      allow: v.optional(names),
      deny: v.optional(names),
      budgets: v.optional(
        byName(
          v.string(),
          object({
            operations: v.optional(bucket),
            bytes: v.optional(bucket),
            over: v.optional(choice("delay", "refuse")),
          }),
          "write an object of budgets by names of calls",
        ),
      ),
    }),
  ),
  devices: v.optional(
    byName(v.pipe(v.string(), v.regex(deviceName, DEVICE_NAMES)), device, "write an object of devices by name"),
  ),
  egress: v.optional(object({ operations: v.optional(bucket), bytes: v.optional(bucket) })),
  guest: v.optional(
    object({
      operations: v.optional(bucket),
      bytes: v.optional(bucket),
      over: v.optional(choice("delay", "refuse", "emulate")),
      cpu: v.optional(
        object({
          weight: v.optional(whole(1, 10_000)),
          cap: v.optional(v.pipe(v.number(CAP), v.minValue(0.01, CAP), v.maxValue(1, CAP))),
        }),
      ),
      memory: v.optional(
        object({
          limit: v.union([v.number(), v.string()], MEMORY),
        }),
      ),
    }),
  ),
});

/** {size, one_time_burst, refill_time}: as Firecracker's token bucket; tokens are operations or bytes, times are milliseconds. */
export type TokenBucket = v.InferOutput<typeof bucket>;
export type DevicePolicy = v.InferOutput<typeof device>;
/** Another budget for a device while the guest runs: a bucket begins full, null is no limit, what is left out stays. */
export type BudgetChange = v.InferOutput<typeof deviceChange>;
/** What a guest may do, and how much of it: see the README of src/hypercall. */
export type Policy = v.InferOutput<typeof policy>;

/** Keys that objects of JavaScript have by themselves; a validator passes over them. */
const FORBIDDEN_KEYS = new Set(["__proto__", "constructor", "prototype"]);
/** A policy is at most this deep. */
const DEPTH = 6;

/** @throws OptionError that says where, what, and what to write. */
export function policyError(keys: readonly unknown[], value: unknown, instead: string, cause?: unknown): OptionError {
  const where = pathText(keys);
  const subject = where === "" ? "the policy" : `policy: ${where}`;
  return new OptionError(`${subject} is ${shown(value)}: ${instead}`, { cause });
}

function refuseForbiddenKeys(value: unknown, path: readonly string[] = []): void {
  if (typeof value !== "object" || value === null || path.length > DEPTH) return;
  for (const key of Object.keys(value)) {
    if (FORBIDDEN_KEYS.has(key)) throw policyError([...path, key], "no name of anything", "leave it out");
    refuseForbiddenKeys((value as Record<string, unknown>)[key], [...path, key]);
  }
}

function checkBucketsOf(value: { operations?: TokenBucket; bytes?: TokenBucket; over?: string }, path: string[]): void {
  if (value.over !== undefined && value.operations === undefined && value.bytes === undefined) {
    throw policyError([...path, "over"], value.over, "give operations or bytes beside it, or leave it out");
  }
}

function refuseReceive(name: string, { receive }: { receive?: unknown }): void {
  if (receive === undefined || name.startsWith("net")) return;
  throw policyError(["devices", name, "receive"], receive, "network devices receive: leave it out");
}

/**
 * Checks a change of a device's budget.
 * @throws OptionError as parsePolicy() does.
 */
export function parseBudgetChange(name: string, input: unknown): BudgetChange {
  if (!deviceName.test(name)) throw policyError(["devices"], name, DEVICE_NAMES);
  refuseForbiddenKeys(input);
  const result = v.safeParse(deviceChange, input, { abortEarly: true });
  if (!result.success) {
    const { keys, value, isUnknown, message } = mistakeOf(result.issues[0]);
    const path = ["devices", name, ...keys];
    if (isUnknown) throw new OptionError(`policy: ${pathText(path)} is not known: ${message}`);
    throw policyError(path, value, message);
  }
  refuseReceive(name, result.output);
  return result.output;
}

/**
 * Checks a policy, for example one read from a file.
 * @throws OptionError that names the path, the value, and what can be written there.
 */
export function parsePolicy(input: unknown): Policy {
  refuseForbiddenKeys(input);
  const result = v.safeParse(policy, input, { abortEarly: true });
  if (!result.success) {
    const { keys, value, isUnknown, message } = mistakeOf(result.issues[0]);
    if (isUnknown) throw new OptionError(`policy: ${pathText(keys)} is not known: ${message}`);
    throw policyError(keys, value, message);
  }
  const { calls, devices, guest } = result.output;
  for (const [name, budget] of Object.entries(calls?.budgets ?? {})) checkBucketsOf(budget, ["calls", "budgets", name]);
  for (const [name, budget] of Object.entries(devices ?? {})) {
    checkBucketsOf(budget, ["devices", name]);
    refuseReceive(name, budget);
  }
  if (guest !== undefined) checkBucketsOf(guest, ["guest"]);
  const limit = guest?.memory?.limit;
  if (limit !== undefined) {
    try {
      if (typeof limit === "number") checkMemory(limit);
      else parseMemory(limit);
    } catch (cause) {
      throw policyError(["guest", "memory", "limit"], limit, MEMORY, cause);
    }
  }
  return result.output;
}
