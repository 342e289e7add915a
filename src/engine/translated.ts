// Translated code on the host's side: modules that the engine wrote into its memory are
// instantiated around one table of functions, which calls between them go through.
import { Machine } from "../../assembly/abi/layout.ts";

/** Functions that the table has room for (assembly/translator/modules.ts). */
const TABLE_SIZE = 1 + 128 * 32;

/** What the engine imports as `translated`. */
export interface TranslatedCode {
  enter(index: number, steps: number, depth: number): bigint;
  /** `first` is the index of its first function. */
  install(address: number, length: number, first: number): number;
  forget(first: number, count: number): void;
}

/** What translated code imports of the engine: the way back into it, (address, steps, depth, back) to address. */
export type GoOn = (address: bigint, steps: number, depth: number, back: bigint) => bigint;

const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const [I32, I64] = [0x7f, 0x7e];
const unsigned = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];

/**
 * A module that calls a translated function, which gives an address and the steps left, for
 * the engine, whose compiler knows functions of one result alone.
 */
function entryModule(): Uint8Array<ArrayBuffer> {
  const code = [
    0, // no locals
    ...[0x20, 1, 0x20, 2, 0x20, 0, 0x11, 0, 0], // call_indirect function(steps, depth)
    ...[0x21, 1, 0x41, 0, 0x20, 1, 0x36, 0, ...unsigned(Machine.STEPS)], // store the steps left
    0x0b,
  ];
  return new Uint8Array([
    ...HEADER,
    ...section(1, 2, 0x60, 2, I32, I32, 2, I64, I32, 0x60, 3, I32, I32, I32, 1, I64),
    ...section(2, 2, 1, 0x65, 1, 0x6d, 2, 0, 0, 1, 0x65, 1, 0x74, 1, 0x70, 0, 0),
    ...section(3, 1, 1),
    ...section(7, 1, 1, 0x66, 0, 0), // "f"
    ...section(10, 1, code.length, ...code),
  ]);
}

/** Does the host's WebAssembly have tail calls? */
export function hasTailCalls(): boolean {
  const code = [0, 0x12, 0, 0x0b]; // return_call 0
  return WebAssembly.validate(
    new Uint8Array([
      ...HEADER,
      ...section(1, 1, 0x60, 0, 0),
      ...section(3, 1, 0),
      ...section(10, 1, code.length, ...code),
    ]),
  );
}

/**
 * The way into translated code that the engine imports for good: its one-place table holds
 * the entry to the functions' table of the day.
 */
function gateModule(): Uint8Array<ArrayBuffer> {
  const code = [0, 0x20, 0, 0x20, 1, 0x20, 2, 0x41, 0, 0x11, 0, 0, 0x0b]; // call_indirect entry(index, steps, depth) at 0
  return new Uint8Array([
    ...HEADER,
    ...section(1, 1, 0x60, 3, I32, I32, I32, 1, I64),
    ...section(2, 1, 1, 0x65, 1, 0x67, 1, 0x70, 0, 1), // "e" "g"
    ...section(3, 1, 0),
    ...section(7, 1, 1, 0x66, 0, 0),
    ...section(10, 1, code.length, ...code),
  ]);
}

/** Instances that share a table of functions. V8 keeps all of them alive with it, forgotten or not. */
const MOST_INSTANCES = 512;

/**
 * What modules import besides memory and table comes from `goOn`, which is asked when the first one is there: the
 * engine is an instance by then. `keep`, if it is given, gets the bytes of each module before it is compiled.
 */
export function translatedCode(
  memory: WebAssembly.Memory,
  goOn: () => GoOn,
  keep?: (module: Uint8Array) => void,
): TranslatedCode {
  const bytes = new Uint8Array(memory.buffer);
  const entryCode = new WebAssembly.Module(entryModule());
  const gate = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
  const { f: enter } = new WebAssembly.Instance(new WebAssembly.Module(gateModule()), { e: { g: gate } }).exports;
  /** Modules in force, by the index of their first function. */
  const modules = new Map<number, WebAssembly.Module>();
  let table: WebAssembly.Table;
  let instances: number;

  function instantiate(module: WebAssembly.Module): WebAssembly.Instance {
    instances++;
    return new WebAssembly.Instance(module, { e: { m: memory, t: table, g: goOn() } });
  }

  /** A new table, with what is in force in it. Compiled code stays with the modules. */
  function renew(): void {
    table = new WebAssembly.Table({ element: "anyfunc", initial: TABLE_SIZE });
    instances = 0;
    for (const module of modules.values()) instantiate(module);
    gate.set(0, new WebAssembly.Instance(entryCode, { e: { m: memory, t: table } }).exports.f);
  }

  renew();
  return {
    enter: enter as TranslatedCode["enter"],
    install(address, length, first) {
      const code = bytes.slice(address, address + length);
      keep?.(code);
      try {
        if (instances >= MOST_INSTANCES) renew();
        const module = new WebAssembly.Module(code);
        instantiate(module);
        modules.set(first, module);
        return 0;
      } catch (error) {
        // Out of memory for code: the interpreter goes on alone. Anything else is a fault of the translator's.
        if (error instanceof WebAssembly.CompileError) throw error;
        return -1;
      }
    },
    forget(first, count) {
      modules.delete(first);
      for (let index = first; index < first + count; index++) table.set(index, null);
    },
  };
}
