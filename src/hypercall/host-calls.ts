// Serves the calls that a guest's caller defined. The engine has looked at them before: the call is
// granted, within its budget, and its buffers lie in guest memory. Whatever a handler does ends
// in an answer for the guest, unless the guest is reset or ends first.
import { Answer, HypercallAt } from "../../assembly/abi/hypercall.ts";
import { SbiError } from "../../assembly/abi/sbi.ts";
import type { EngineExports } from "../engine/exports.ts";
import type { ArgumentType } from "./call-row.ts";
import type { DefinedHypercall, HypercallResult } from "./define-hypercall.ts";

/** What the engine's import answers with. */
const ANSWERED = 0;
const LATER = 1;

const LEAST_ERROR: number = SbiError.NO_SHMEM;

export interface HostCallsHost {
  notice(message: string): void;
  /** An answer has come: the guest may go on. */
  wake(): void;
  /** Virtual clock: calls the guest waits for go from none to some, and back. */
  wait(waits: boolean): void;
}

/** The parts of an engine that this needs; there once calls can come. */
export interface HostCallsEngine {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  readonly exports: Pick<EngineExports, "hypercallBuffer" | "hypercallDone">;
}

/** A buffer that the handler fills: where it is to go, and its bytes. */
interface Output {
  gpa: bigint;
  bytes: Uint8Array;
}

interface Prepared {
  name: string;
  args: readonly { name: string; type: ArgumentType }[];
  handler: DefinedHypercall["handler"];
}

interface Settled {
  error: number;
  value: bigint;
}

/** How often a failure of the same call is told. */
const MOST_NOTICES = 3;

export class HostCalls {
  readonly #calls: readonly Prepared[];
  readonly #engine: () => HostCallsEngine;
  readonly #host: HostCallsHost;
  readonly #notices = new Map<string, number>();
  /** Raised by each reset: answers to calls from before are nobody's. */
  #generation = 0;
  #pending = 0;

  constructor(calls: readonly DefinedHypercall[], engine: () => HostCallsEngine, host: HostCallsHost) {
    this.#calls = calls.map(({ row: { name, args }, handler }) => ({ name, args, handler }));
    this.#engine = engine;
    this.#host = host;
  }

  /** Calls that harts wait for. */
  get pending(): number {
    return this.#pending;
  }

  /** Serves call `number` for `hart`: what the engine's import `hypercall` is to answer. */
  serve(number: number, hart: number): number {
    const call = this.#calls[number];
    const outputs: Output[] = [];
    let result: HypercallResult | Promise<HypercallResult>;
    try {
      result = call.handler(this.#arguments(call, outputs), { hart });
    } catch (error) {
      this.#answer(this.#failed(call, error));
      return ANSWERED;
    }
    if (typeof result === "object" && result !== null && "then" in result) {
      this.#later(call, hart, result, outputs);
      return LATER;
    }
    const settled = this.#settle(call, result);
    if (settled.error === 0) this.#copyNow(outputs);
    this.#answer(settled);
    return ANSWERED;
  }

  /** The guest starts anew, or ends: nobody waits any more. */
  reset(): void {
    this.#generation++;
    if (this.#pending === 0) return;
    this.#pending = 0;
    this.#host.wait(false);
  }

  #arguments({ args }: Prepared, outputs: Output[]): Record<string, unknown> {
    const { bytes, view } = this.#engine();
    const values: Record<string, unknown> = {};
    let register = 0;
    for (const { name, type } of args) {
      const at = HypercallAt.ANSWER + Answer.ARGUMENTS + 8 * register;
      if (type === "u32" || type === "u8") values[name] = view.getUint32(at, true);
      else if (type === "u64") values[name] = view.getBigUint64(at, true);
      else if (type === "i64") values[name] = view.getBigInt64(at, true);
      else {
        const length = view.getUint32(at + 8, true);
        const from = view.getUint32(HypercallAt.ANSWER + Answer.BUFFERS + 4 * register, true);
        if (type === "buffer-in") values[name] = bytes.slice(from, from + length);
        else {
          const output = new Uint8Array(length);
          outputs.push({ gpa: view.getBigUint64(at, true), bytes: output });
          values[name] = output;
        }
        register++;
      }
      register++;
    }
    return values;
  }

  #answer({ error, value }: Settled): void {
    const { view } = this.#engine();
    view.setBigInt64(HypercallAt.ANSWER + Answer.ERROR, BigInt(error), true);
    view.setBigUint64(HypercallAt.ANSWER + Answer.VALUE, value, true);
  }

  /** A handler may have let other calls in; the engine says again where a buffer lies. */
  #copyNow(outputs: readonly Output[]): boolean {
    const { bytes, exports } = this.#engine();
    for (const output of outputs) {
      if (output.bytes.length === 0) continue;
      const at = exports.hypercallBuffer(output.gpa, output.bytes.length) >>> 0;
      if (at === 0) return false;
      bytes.set(output.bytes, at);
    }
    return true;
  }

  #later(call: Prepared, hart: number, promise: PromiseLike<HypercallResult>, outputs: readonly Output[]): void {
    const generation = this.#generation;
    if (this.#pending++ === 0) this.#host.wait(true);
    const done = (settled: Settled) => {
      if (generation !== this.#generation) return;
      if (settled.error === 0 && !this.#copyNow(outputs)) settled = { error: SbiError.INVALID_ADDRESS, value: 0n };
      this.#engine().exports.hypercallDone(hart, settled.error, settled.value);
      if (--this.#pending === 0) this.#host.wait(false);
      this.#host.wake();
    };
    Promise.resolve(promise).then(
      (result) => done(this.#settle(call, result)),
      (error) => done(this.#failed(call, error)),
    );
  }

  #settle(call: Prepared, result: HypercallResult): Settled {
    try {
      if (typeof result === "object" && result !== null) {
        const { error, value = 0 } = result;
        if (!Number.isInteger(error) || error > 0 || error < LEAST_ERROR) {
          throw new RangeError(`error ${error} is no SBI error code: return 0, or -1 to ${LEAST_ERROR}`);
        }
        return { error, value: BigInt.asUintN(64, BigInt(value)) };
      }
      return { error: SbiError.SUCCESS, value: BigInt.asUintN(64, BigInt(result ?? 0)) };
    } catch (error) {
      return this.#failed(call, error);
    }
  }

  #failed({ name }: Prepared, error: unknown): Settled {
    const told = this.#notices.get(name) ?? 0;
    if (told < MOST_NOTICES) {
      this.#notices.set(name, told + 1);
      const last = told + 1 === MOST_NOTICES ? "; further failures of it are not told" : "";
      const reason = error instanceof Error ? error.message : String(error);
      this.#host.notice(`hypercall ${name} failed, which the guest is told: ${reason}${last}`);
    }
    return { error: SbiError.FAILED, value: 0n };
  }
}
