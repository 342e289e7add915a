// Calls that were refused, as the host hears of them. The engine counts all and keeps the first few
// since the host last looked; the host looks at the end of a turn, and tells of a bounded number a second.
import { HypercallAt, Refusal, Refused } from "../../assembly/abi/hypercall.ts";

export type RefusalReason = "unknown" | "denied" | "budget" | "nested";

/** A call that was refused: an audit record. */
export interface CallRefusal {
  eid: number;
  fid: number;
  hart: number;
  /** Address of the ecall, virtual if translation was on. */
  pc: bigint;
  /**
   * `unknown`: there is no such call; `denied`: the policy does not grant it; `budget`: it is past a budget that refuses;
   * `nested`: it was in a multicall, and may not be.
   */
  reason: RefusalReason;
  /** Further refusals, before this one, that are not told one by one. */
  missed: number;
}

const REASONS: Record<Refusal, RefusalReason> = {
  [Refusal.UNKNOWN]: "unknown",
  [Refusal.DENIED]: "denied",
  [Refusal.BUDGET]: "budget",
  [Refusal.NESTED]: "nested",
};

/** Told in a period, in host milliseconds. */
const PERIOD = 1000;
const MOST_IN_PERIOD = 32;

export class Refusals {
  readonly #tell: (refusal: CallRefusal) => void;
  readonly #now: () => number;
  #begin = Number.NEGATIVE_INFINITY;
  #told = 0;
  #missed = 0;

  constructor(tell: (refusal: CallRefusal) => void, now: () => number) {
    this.#tell = tell;
    this.#now = now;
  }

  /** Tells of what the engine has noted since the last time. */
  look(view: DataView): void {
    const count = view.getUint32(HypercallAt.REFUSED + Refused.COUNT, true);
    if (count === 0) return;
    view.setUint32(HypercallAt.REFUSED + Refused.COUNT, 0, true);
    const now = this.#now();
    if (now - this.#begin >= PERIOD) {
      this.#begin = now;
      this.#told = 0;
    }
    const kept = Math.min(count, Refused.KEPT);
    const told = Math.min(kept, MOST_IN_PERIOD - this.#told);
    this.#told += told;
    // What an audit callback throws must not be mistaken for the guest's doing: all is noted before it is called.
    const refusals = Array.from({ length: told }, (_, n) => this.#record(view, n));
    if (told > 0) {
      refusals[0].missed = this.#missed;
      this.#missed = 0;
    }
    this.#missed += count - told;
    for (const refusal of refusals) this.#tell(refusal);
  }

  #record(view: DataView, n: number): CallRefusal {
    const at = HypercallAt.REFUSED + Refused.RECORDS + n * Refused.RECORD_SIZE;
    return {
      eid: view.getUint32(at + Refused.EID, true),
      fid: view.getUint32(at + Refused.FID, true),
      hart: view.getUint32(at + Refused.HART, true),
      pc: view.getBigUint64(at + Refused.PC, true),
      reason: REASONS[view.getUint32(at + Refused.REASON, true) as Refusal] ?? "unknown",
      missed: 0,
    };
  }
}

/** Refusals so far, told or not. */
export function refusalCount(view: DataView): bigint {
  return view.getBigUint64(HypercallAt.REFUSED + Refused.TOTAL, true);
}
