// Reads the log of translated regions (assembly/abi/translated.ts): what the translator made of
// the guest's code, how often it ran, and how it was left.
import { RegionFlag, RegionLog, RegionRecord, Way } from "../../assembly/abi/translated.ts";
import type { Inspect } from "./inspect.ts";
import { addressNames, localName } from "./region-names.ts";
import { functionModule } from "./wasm-module.ts";

export interface RegionInstruction {
  /** Guest virtual address. */
  pc: bigint;
  /** Its encoding, 16 or 32 bits. */
  word: number;
  /** Assembly text; a compressed instruction shows as what it stands for. */
  text: string;
}

export interface RegionBlock {
  pc: bigint;
  runs: bigint;
  isLoop: boolean;
  instructions: RegionInstruction[];
}

/**
 * - `jump`, `jump-register`: for an address outside the region, or that was not seen before
 * - `return`: to whoever called it
 * - `budget`: fewer steps were left than the longest path takes
 * - `call`: for a callee that is not translated, or because calls were nested too deep
 * - `returned-elsewhere`: a call came back to another address than the next instruction's
 * - `interpreter`: for an instruction that translated code could not do: of memory, because of a
 *   TLB miss, a device or a trap; of floating point, because of a result that needs care; any other
 *   because it never does
 * - `float-state`: floating point was off, or its flags or rounding not those it was translated for
 */
export type ExitCause =
  | "jump"
  | "jump-register"
  | "return"
  | "budget"
  | "call"
  | "returned-elsewhere"
  | "interpreter"
  | "float-state";

export interface RegionExit {
  cause: ExitCause;
  /** Address of the instruction that it was left at, where one is to blame. */
  at?: bigint;
  /** Address that it was left for, where it is always the same. */
  to?: bigint;
  /** Translated code went on there at once, with no way back through the interpreter's loop. */
  isDirect: boolean;
  count: bigint;
}

/** A privileged instruction that the engine did while the region waited. */
export interface EngineStep {
  at: bigint;
  count: bigint;
}

export interface RegionPage {
  virtual: bigint;
  physical: bigint;
}

/** The WebAssembly of a region, and what its numbers mean. */
export interface RegionCode {
  /** A module with this function alone. */
  module: Uint8Array<ArrayBuffer>;
  /** Names of the function's locals, parameters first. */
  locals: string[];
  /** Names of addresses in linear memory that code uses as they are: the hart's state. */
  addresses: Map<number, string>;
  /** The instructions by the number that marks where the code of each begins: `i32.const NUMBER`, `drop`. */
  instructions: RegionInstruction[];
  /** What is counted at an address of linear memory: in the code a load, an addition of 1 and a store. */
  counters: Map<number, { what: ExitCause | "run" | "block" | "engine"; count: bigint }>;
}

const MODES: Record<number, "U" | "S" | "M"> = { 0: "U", 1: "S", 3: "M" };

/** What is counted besides ways out. */
const COUNTED = { [Way.RUN]: "run", [Way.BLOCK]: "block", [Way.ENGINE]: "engine" } as const;

type WayOut = Exclude<Way, keyof typeof COUNTED>;

const CAUSES: Record<WayOut, ExitCause> = {
  [Way.JUMP]: "jump",
  [Way.JUMP_OUT]: "jump",
  [Way.JUMP_REGISTER]: "jump-register",
  [Way.JUMP_REGISTER_OUT]: "jump-register",
  [Way.RETURN]: "return",
  [Way.BUDGET]: "budget",
  [Way.CALL_OUT]: "call",
  [Way.CALL_REGISTER_OUT]: "call",
  [Way.RETURNED_ELSEWHERE]: "returned-elsewhere",
  [Way.INTERPRET]: "interpreter",
  [Way.FLOAT_STATE]: "float-state",
};

function isWayOut(way: Way): way is WayOut {
  return !(way in COUNTED);
}

const FLAGS: [RegionFlag, string][] = [
  [RegionFlag.FLOAT, "float"],
  [RegionFlag.FAST_FLOAT, "fast-float"],
  [RegionFlag.SLOW_FLOAT, "slow-float"],
];

const LOOP = 0x8000_0000;

/** One translation of guest code to a WebAssembly function, as it was when `guest.regions()` was called. */
export class TranslatedRegion {
  readonly #view: DataView;
  readonly #address: number;
  readonly #module: Uint8Array | undefined;
  readonly #addresses: ReadonlyMap<number, string>;
  readonly #inspect: Inspect;

  constructor(
    record: Uint8Array<ArrayBuffer>,
    address: number,
    module: Uint8Array | undefined,
    addresses: ReadonlyMap<number, string>,
    inspect: Inspect,
  ) {
    this.#view = new DataView(record.buffer, record.byteOffset, record.length);
    this.#address = address;
    this.#module = module;
    this.#addresses = addresses;
    this.#inspect = inspect;
  }

  /** Guest virtual address of its first instruction, the only one that it is entered at. */
  get pc(): bigint {
    return this.#view.getBigUint64(RegionRecord.PC, true);
  }

  /** Privilege mode that it was translated for. */
  get mode(): "U" | "S" | "M" {
    return MODES[this.#word(RegionRecord.MODE)];
  }

  /** `waiting` until its module is made; `dropped` once nothing enters it any more: its page was written, or it was evicted. */
  get state(): "waiting" | "live" | "dropped" {
    if (this.#word(RegionRecord.DROPPED) !== 0) return "dropped";
    return this.#module === undefined ? "waiting" : "live";
  }

  /**
   * `float`: it has floating-point instructions; `fast-float`: on WebAssembly's own operations;
   * `slow-float`: left to the interpreter.
   */
  get flags(): string[] {
    const flags = this.#word(RegionRecord.FLAGS);
    return FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  }

  /** The pages that its instructions are on; it is good while they are mapped like this. */
  get pages(): RegionPage[] {
    return Array.from({ length: this.#word(RegionRecord.PAGE_COUNT) }, (_, n) => ({
      virtual: this.#view.getBigUint64(RegionRecord.PAGES + 16 * n, true),
      physical: this.#view.getBigUint64(RegionRecord.PAGES + 16 * n + 8, true),
    }));
  }

  /** Instructions that must be left in the slice for it to be entered. */
  get minimumSteps(): number {
    return this.#word(RegionRecord.MINIMUM);
  }

  /** Bytes of its WebAssembly, without what is there to count. */
  get wasmBytes(): number {
    return this.#word(RegionRecord.WASM_BYTES);
  }

  /** How many guest instructions it was made of. */
  get length(): number {
    return this.#word(RegionRecord.INSNS);
  }

  /** How often it was entered. */
  get runs(): bigint {
    return this.#counters().find(({ way }) => way === Way.RUN)?.count ?? 0n;
  }

  /** Guest instructions done in it: all of each block that was begun, so at most so many. */
  get steps(): bigint {
    const blocks = this.#counters().filter(({ way }) => way === Way.BLOCK);
    return blocks.reduce((sum, { count, detail }) => sum + count * BigInt(detail & ~LOOP), 0n);
  }

  /** Does it have an instruction at `pc`? */
  contains(pc: bigint): boolean {
    for (let n = 0; n < this.length; n++) if (this.#view.getBigUint64(this.#insnAt(n), true) === pc) return true;
    return false;
  }

  /** Its basic blocks in the order of their code. */
  get blocks(): RegionBlock[] {
    const all = this.#instructions();
    const numbers = new Map(all.map(({ pc }, n) => [pc, n]));
    return this.#counters()
      .filter(({ way }) => way === Way.BLOCK)
      .map(({ pc, count, detail }) => {
        // A block's instructions were found one after the other.
        const first = numbers.get(pc) ?? 0;
        const instructions = all.slice(first, first + (detail & ~LOOP));
        return { pc, runs: count, isLoop: detail >>> 31 !== 0, instructions };
      });
  }

  /** The ways by which it was left, most frequent first. */
  get exits(): RegionExit[] {
    const found = new Map<string, RegionExit>();
    for (const { way, pc, count, detail } of this.#counters()) {
      if (!isWayOut(way) || count === 0n) continue;
      const isTarget = way === Way.JUMP || way === Way.JUMP_OUT || way === Way.CALL_OUT;
      const at = way === Way.CALL_OUT ? this.#view.getBigUint64(this.#insnAt(detail), true) : pc;
      const key = [way, pc, at].join();
      const exit = found.get(key);
      if (exit) exit.count += count;
      else {
        found.set(key, {
          cause: CAUSES[way],
          ...(way === Way.CALL_OUT || !isTarget ? { at } : {}),
          ...(isTarget ? { to: pc } : {}),
          isDirect: way === Way.JUMP || way === Way.JUMP_REGISTER || way === Way.RETURN,
          count,
        });
      }
    }
    return [...found.values()].sort((a, b) => (a.count < b.count ? 1 : a.count > b.count ? -1 : 0));
  }

  /** The instructions that the engine did for it, in their order. */
  get engineSteps(): EngineStep[] {
    return this.#counters()
      .filter(({ way, count }) => way === Way.ENGINE && count > 0n)
      .map(({ pc, count }) => ({ at: pc, count }));
  }

  /** Its WebAssembly; undefined while it waits for its module. */
  get code(): RegionCode | undefined {
    if (this.#module === undefined) return undefined;
    const locals = this.#insnAt(this.length);
    return {
      module: functionModule(this.#module, this.#word(RegionRecord.FUNCTION)),
      locals: Array.from({ length: this.#word(RegionRecord.LOCALS) }, (_, n) =>
        localName(this.#view.getUint16(locals + 2 * n, true), n, this.#inspect),
      ),
      addresses: new Map(this.#addresses),
      instructions: this.#instructions(),
      counters: new Map(
        this.#counters().map(({ way, count }, n) => [
          this.#address + RegionRecord.HEAD + n * RegionRecord.COUNTER_SIZE,
          { what: isWayOut(way) ? CAUSES[way] : COUNTED[way], count },
        ]),
      ),
    };
  }

  #word(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  #counters(): { way: Way; pc: bigint; count: bigint; detail: number }[] {
    return Array.from({ length: this.#word(RegionRecord.COUNTERS) }, (_, n) => {
      const at = RegionRecord.HEAD + n * RegionRecord.COUNTER_SIZE;
      return {
        count: this.#view.getBigUint64(at, true),
        pc: this.#view.getBigUint64(at + 8, true),
        way: this.#word(at + 16) as Way,
        detail: this.#word(at + 20),
      };
    });
  }

  #insnAt(n: number): number {
    const first = RegionRecord.HEAD + this.#word(RegionRecord.COUNTERS) * RegionRecord.COUNTER_SIZE;
    return first + n * RegionRecord.INSN_SIZE;
  }

  #instructions(): RegionInstruction[] {
    return Array.from({ length: this.length }, (_, n) => {
      const pc = this.#view.getBigUint64(this.#insnAt(n), true);
      const word = this.#word(this.#insnAt(n) + 8);
      const text = this.#inspect.disassemble(Number(pc & 0xffff_ffffn), Number(pc >> 32n), word);
      return { pc, word, text };
    });
  }
}

/** What a host keeps of translated regions, if it was asked to. */
export interface RegionSource {
  /** Address of the log in linear memory. */
  log: number;
  /** The bytes of all modules so far, in the order of their installation. */
  modules: readonly Uint8Array[];
}

/** All translations so far, in their order. They are copies: what runs on changes nothing in them. */
export function readRegions(view: DataView, { log, modules }: RegionSource, inspect: Inspect): TranslatedRegion[] {
  const addresses = addressNames(view, log, inspect);
  const end = log + view.getUint32(log + RegionLog.END, true);
  const found: TranslatedRegion[] = [];
  for (let at = log + RegionLog.RECORDS; at < end; ) {
    const size = view.getUint32(at + RegionRecord.SIZE, true);
    const record = new Uint8Array(view.buffer.slice(at, at + size) as ArrayBuffer);
    const module = modules[view.getUint32(at + RegionRecord.MODULE, true)];
    found.push(new TranslatedRegion(record, at, module, addresses, inspect));
    at += size;
  }
  return found;
}
