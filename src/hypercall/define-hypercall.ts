// Calls of the caller's own: what a definition says, and whether it can be. How they are served is in host-calls.ts.
import { CallLimit, HostCall } from "../../assembly/abi/hypercall.ts";
import { SbiError, SbiExtension } from "../../assembly/abi/sbi.ts";
import { OptionError } from "../errors.ts";
import type { CallArgument, CallRow } from "./call-row.ts";
import { hexId } from "./catalogue.ts";

/** Types that arguments of defined calls have. */
export type HypercallType = "u32" | "u64" | "i64" | "buffer-in" | "buffer-out";
export type HypercallArguments = Readonly<Record<string, HypercallType>>;

/** What a handler gets for each type: numbers as they are; a buffer's bytes are the handler's own copy. */
interface ValueOf {
  /** The low 32 bits of the register. */
  u32: number;
  u64: bigint;
  i64: bigint;
  /** What the guest's buffer held at the call. */
  "buffer-in": Uint8Array;
  /** Zeros, as many as the guest's buffer has bytes; what is in it when the call ends is copied to the guest. */
  "buffer-out": Uint8Array;
}

export type HypercallValues<Args extends HypercallArguments> = { [Name in keyof Args]: ValueOf[Args[Name]] };

/** Who calls. */
export interface HypercallContext {
  hart: number;
}

/** What comes back to the guest in a1; or an SBI error code (SBI 2.0, chapter 3, -1 to -9) in a0 as well. */
export type HypercallResult = number | bigint | undefined | { error: number; value?: number | bigint };

export interface HypercallDefinition<Args extends HypercallArguments> {
  /** Extension id: 0x0a000000 to 0x0affffff, the SBI's range for firmware, but the hypervisor's own. */
  eid: number;
  /** Function id, 0 to 0xfe. */
  fid: number;
  /** For counters, tables and the generated C header: a C identifier of at most 31 characters. */
  name: string;
  /** Arguments in the order of their registers, a0 to a5; a buffer takes two, its guest physical address and its length, at most 1 MiB. */
  args?: Args;
  /** What the value in a1 is, for tables. Default: nothing. */
  returns?: string;
  /**
   * Serves the call. A promise lets the calling hart wait at its call, without interrupts, while other harts run; with the virtual
   * clock the whole guest waits, so that runs repeat. What it throws is told to onNotice, and the guest gets SBI_ERR_FAILED.
   */
  handler(args: HypercallValues<Args>, context: HypercallContext): HypercallResult | Promise<HypercallResult>;
}

/** A definition that was checked. */
export interface DefinedHypercall {
  readonly row: CallRow;
  // biome-ignore lint/suspicious/noExplicitAny: what a handler takes is known to its definition alone.
  readonly handler: (args: any, context: HypercallContext) => HypercallResult | Promise<HypercallResult>;
}

const TYPES: readonly HypercallType[] = ["u32", "u64", "i64", "buffer-in", "buffer-out"];
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]{0,30}$/;
const LAST_FID = 0xfe;

export function isBuffer(type: string): boolean {
  return type === "buffer-in" || type === "buffer-out";
}

function checkArguments(what: string, args: HypercallArguments): CallArgument[] {
  let registers = 0;
  const list = Object.entries(args).map(([name, type]) => {
    if (!IDENTIFIER.test(name) || /^[0-9]/.test(name)) {
      throw new OptionError(
        `${what}: "${name}" is no name for an argument: write a C identifier of at most 31 characters`,
      );
    }
    if (!TYPES.includes(type)) {
      throw new OptionError(`${what}: argument ${name} has type "${type}": write ${TYPES.join(", ")}`);
    }
    registers += isBuffer(type) ? 2 : 1;
    return { name, type };
  });
  if (registers > CallLimit.REGISTERS) {
    throw new OptionError(
      `${what}: its arguments take ${registers} registers: there are ${CallLimit.REGISTERS}, a buffer takes two`,
    );
  }
  return list;
}

/**
 * Defines a call to the hypervisor, to be given to guests as `hypercalls: [...]`. The guest makes it with `ecall` from S-mode,
 * in the paravirtual boot; programs in Linux through /dev/paravane (addons/linux).
 *
 * ```ts
 * const roll = defineHypercall({
 *   eid: 0x0a000001,
 *   fid: 0,
 *   name: "roll",
 *   args: { sides: "u32" },
 *   handler: ({ sides }) => 1 + Math.floor(Math.random() * sides),
 * });
 * ```
 * @throws OptionError if no such call can be.
 */
export function defineHypercall<const Args extends HypercallArguments = Record<never, never>>(
  definition: HypercallDefinition<Args>,
): DefinedHypercall {
  const { eid, fid, name, args, returns = "", handler } = definition;
  if (typeof name !== "string" || !IDENTIFIER.test(name)) {
    throw new OptionError(`"${name}" is no name for a hypercall: write a C identifier of at most 31 characters`);
  }
  const what = `hypercall ${name}`;
  if (!Number.isInteger(eid) || eid < SbiExtension.FIRMWARE_FIRST || eid > SbiExtension.FIRMWARE_LAST) {
    throw new OptionError(
      `${what}: extension ${typeof eid === "number" ? hexId(eid) : eid} is not the caller's to define: write ` +
        `${hexId(SbiExtension.FIRMWARE_FIRST)} to ${hexId(SbiExtension.FIRMWARE_LAST)}`,
    );
  }
  if (eid === SbiExtension.PARAVANE) {
    throw new OptionError(`${what}: extension ${hexId(eid)} is the hypervisor's own: write another one`);
  }
  if (!Number.isInteger(fid) || fid < 0 || fid > LAST_FID) {
    throw new OptionError(`${what}: function ${fid} cannot be: write a whole number from 0 to ${LAST_FID}`);
  }
  if (typeof handler !== "function") throw new OptionError(`${what} has no handler: give a function`);
  const row: CallRow = {
    eid,
    fid,
    name,
    spec: "defined by the host",
    version: "",
    args: checkArguments(what, args ?? {}),
    returns,
    served: "host",
    cost: "host",
  };
  return { row, handler };
}

/** @throws OptionError if there are too many, or two of one number or name. */
export function checkHypercalls(calls: readonly DefinedHypercall[]): void {
  if (calls.length > HostCall.COUNT) {
    throw new OptionError(`${calls.length} hypercalls of your own: a guest has room for ${HostCall.COUNT}`);
  }
  const taken = new Map<string, string>();
  for (const { row } of calls) {
    const number = `${hexId(row.eid)} function ${row.fid}`;
    const other = taken.get(number) ?? (taken.has(row.name) ? "another one" : undefined);
    if (other !== undefined) {
      throw new OptionError(`hypercall ${row.name}: ${other} has its number or name (${number}): give it its own`);
    }
    taken.set(number, row.name);
    taken.set(row.name, row.name);
  }
}

/** SBI_ERR_FAILED, for a handler that failed. */
export const FAILED: number = SbiError.FAILED;
