// What `paravane run --json` prints: one JSON document on stdout, however the run ends.
//   power-off                          {"reason":"power-off","status":0,...facts}
//   a command (--exec)                 {"status":0,"stdout":"...","stderr":"...",...facts}
//   guest and hardware do not fit      {"reason":"incompatible","status":3,"error":"...","missing":[...]}
//   crash, timeout, signal, mistakes   {"reason":"panic","status":1,"error":"...","pc":"0x...",...facts}
// In the last kind `status` is the status of this process.
import { CompatibilityError, GuestCrash } from "../errors.ts";
import type { Guest } from "../guest/guest.ts";
import { Ending, Status } from "./status.ts";

const REASONS: Record<number, string> = {
  [Status.OK]: "closed",
  [Status.TIMEOUT]: "timeout",
  [Status.HANGUP]: "signal",
  [Status.INTERRUPTED]: "signal",
  [Status.TERMINATED]: "signal",
};

function hex(value: bigint | undefined): string | undefined {
  return value === undefined ? undefined : `0x${BigInt.asUintN(64, value).toString(16)}`;
}

/** The document of a run that ended by `error`. */
export function describe(error: unknown): Record<string, unknown> {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Ending) {
    return { reason: REASONS[error.status] ?? "error", status: error.status, error: message || undefined };
  }
  if (error instanceof CompatibilityError) {
    return { reason: "incompatible", status: Status.COMPATIBILITY, error: message, missing: error.missing };
  }
  if (!(error instanceof GuestCrash)) return { reason: "error", status: Status.FAILURE, error: message };
  const { hart, pc, cause, tval, disassembly } = error.site;
  const site = { hart, pc: hex(pc), cause: hex(cause), tval: hex(tval), disassembly };
  return { reason: error.kind, status: Status.FAILURE, error: message, ...site, log: error.log };
}

export class RunReport {
  readonly #started = performance.now();
  readonly #isWanted: boolean;
  #isPrinted = false;
  /** Set as soon as there is one, for how far it came. */
  guest: Guest | undefined;

  constructor(isWanted: boolean) {
    this.#isWanted = isWanted;
  }

  /** Prints the run's document, once; nothing without --json. */
  print(document: Record<string, unknown>): void {
    if (!this.#isWanted || this.#isPrinted) return;
    this.#isPrinted = true;
    process.stdout.write(`${JSON.stringify({ ...document, ...this.facts() })}\n`);
  }

  /** The run ended by `error`, which main.ts tells on stderr and turns into a status. */
  failed(error: unknown): void {
    this.print(describe(error));
  }

  /** How far the run came: instructions, seconds of the guest and of the host. */
  facts(): Record<string, number> {
    const hostSeconds = (performance.now() - this.#started) / 1000;
    if (this.guest === undefined) return { hostSeconds };
    return { instructions: this.guest.instructions, guestSeconds: this.guest.seconds, hostSeconds };
  }
}
