// Translated code on the host's side: modules that the engine wrote into its memory are
// instantiated, and their functions put into one table, at the numbers of their regions.
//
// Modules do not import that table: V8 would copy all of it into each instance (some 400 us), and keep every instance
// that ever had it alive. They import one of their own, with a function that calls what is there, and the way into the engine.
import { Machine } from "../../assembly/abi/layout.ts";
import { Element, RegionNumber } from "../../assembly/abi/translated.ts";

/** What the engine imports as `translated`. */
export interface TranslatedCode {
  enter(region: number, steps: number, depth: number, address: bigint): bigint;
  /** `regions` is the address of `count` u16. */
  install(address: number, length: number, regions: number, count: number): number;
  forget(first: number, count: number): void;
}

/** What translated code imports of the engine: the way back into it, (address, steps, depth, back) to address. */
export type GoOn = (address: bigint, steps: number, depth: number, back: bigint) => bigint;

const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const [I32, I64] = [0x7f, 0x7e];
/** (steps, depth, address) to (address, steps). */
const FUNCTION_TYPE = [0x60, 3, I32, I32, I64, 2, I64, I32];
const unsigned = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];

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

const TABLE_IMPORT = [1, 0x65, 1, 0x74, 1, 0x70, 0, 0]; // "e" "t"

/**
 * The way from one translated function to another: (steps, depth, address, region) to (address, steps). Where calls in tail
 * position are ones it is not on the stack itself.
 */
function callModule(): Uint8Array<ArrayBuffer> {
  const code = [0, 0x20, 0, 0x20, 1, 0x20, 2, 0x20, 3, hasTailCalls() ? 0x13 : 0x11, 0, 0, 0x0b];
  return new Uint8Array([
    ...HEADER,
    ...section(1, 2, ...FUNCTION_TYPE, 0x60, 4, I32, I32, I64, I32, 2, I64, I32),
    ...section(2, 1, ...TABLE_IMPORT),
    ...section(3, 1, 1),
    ...section(7, 1, 1, 0x66, 0, 0), // "f"
    ...section(10, 1, code.length, ...code),
  ]);
}

/**
 * The way from the engine: (region, steps, depth, address) to the address, with the steps left in memory, since the engine's
 * compiler knows functions of one result alone.
 */
function entryModule(): Uint8Array<ArrayBuffer> {
  const code = [
    0, // no locals
    ...[0x20, 1, 0x20, 2, 0x20, 3, 0x20, 0, 0x11, 0, 0], // call_indirect function(steps, depth, address)
    ...[0x21, 1, 0x41, 0, 0x20, 1, 0x36, 0, ...unsigned(Machine.STEPS)], // store the steps left
    0x0b,
  ];
  return new Uint8Array([
    ...HEADER,
    ...section(1, 2, ...FUNCTION_TYPE, 0x60, 4, I32, I32, I32, I64, 1, I64),
    ...section(2, 2, 1, 0x65, 1, 0x6d, 2, 0, 0, ...TABLE_IMPORT),
    ...section(3, 1, 1),
    ...section(7, 1, 1, 0x66, 0, 0), // "f"
    ...section(10, 1, code.length, ...code),
  ]);
}

/**
 * What modules import of the engine comes from `goOn`, which is asked when the first one is there: the
 * engine is an instance by then. `keep`, if it is given, gets the bytes of each module before it is compiled.
 */
export function translatedCode(
  memory: WebAssembly.Memory,
  goOn: () => GoOn,
  keep?: (module: Uint8Array) => void,
): TranslatedCode {
  const bytes = new Uint8Array(memory.buffer);
  const table = new WebAssembly.Table({ element: "anyfunc", initial: RegionNumber.END });
  const environment = { m: memory, t: table };
  const only = (module: Uint8Array<ArrayBuffer>) =>
    new WebAssembly.Instance(new WebAssembly.Module(module), { e: environment }).exports.f;
  const enter = only(entryModule());
  const call = only(callModule());
  const waysOut = () => {
    const ways = new WebAssembly.Table({ element: "anyfunc", initial: Element.END, maximum: Element.END });
    ways.set(Element.GO_ON, goOn());
    ways.set(Element.CALL, call);
    return ways;
  };

  return {
    enter: enter as TranslatedCode["enter"],
    install(address, length, regions, count) {
      const code = bytes.slice(address, address + length);
      keep?.(code);
      try {
        const module = new WebAssembly.Module(code);
        const { exports } = new WebAssembly.Instance(module, { e: { m: memory, t: waysOut() } });
        const numbers = new Uint16Array(memory.buffer, regions, count);
        numbers.forEach((region, n) => {
          table.set(region, exports[String.fromCharCode(0x30 + n)]);
        });
        return 0;
      } catch (error) {
        // Out of memory for code: the interpreter goes on alone. Anything else is a fault of the translator's.
        if (error instanceof WebAssembly.CompileError) throw error;
        return -1;
      }
    },
    forget(first, count) {
      for (let region = first; region < first + count; region++) table.set(region, null);
    },
  };
}
