/// <reference path="./as-bind-module.d.ts" />
// as-bind 0.8 on the runtime of AssemblyScript 0.28.
//
// as-bind carries strings and arrays across the boundary, but the loader bundled with it
// knows the runtime of AssemblyScript 0.19: other ids for String and ArrayBuffer, and two
// words of type information for each class where 0.28 has one. Used as it is, it corrupts
// arrays without an error. This module instantiates through as-bind and then puts accessors
// for 0.28 in place of the loader's; as-bind looks them up by name at every call.
//
// Object header (below the address of every managed object; std/assembly/rt/common):
//    -8  u32 run-time type id     -4  u32 size in bytes
// ArrayBufferView (typed arrays), and Array, which adds its length:
//     0  u32 buffer    4  u32 first element    8  u32 size in bytes   (12  u32 elements)
//
// Everything read is copied, so nothing returned is a view of memory that can move.
// Left out: Set, Map and classes; v128 elements.
import * as AsBind from "as-bind/dist/as-bind.esm.js";

const enum RuntimeId {
  ARRAY_BUFFER = 1,
  STRING = 2,
}

/** Bits of a class's word of type information (std/assembly/shared/typeinfo). */
const enum Flag {
  BUFFER_VIEW = 1 << 0,
  ARRAY = 1 << 1,
  STATIC_ARRAY = 1 << 2,
  ALIGN_SHIFT = 6,
  ALIGN_MASK = 31,
  SIGNED = 1 << 11,
  FLOAT = 1 << 12,
  MANAGED = 1 << 14,
}

/** The runtime's own exports (`--exportRuntime`). */
interface Runtime {
  memory: WebAssembly.Memory;
  __rtti_base: { value: number };
  __new(size: number, id: number): number;
  __pin(address: number): number;
  __unpin(address: number): void;
  __collect(): void;
}

const SIGNED = [Int8Array, Int16Array, Int32Array, BigInt64Array];
const UNSIGNED = [Uint8Array, Uint16Array, Uint32Array, BigUint64Array];
const FLOAT = [undefined, undefined, Float32Array, Float64Array];

interface ElementArray extends ArrayLike<number | bigint> {
  set(source: ArrayLike<number | bigint>): void;
}
type ElementsConstructor = new (buffer: ArrayBuffer, offset: number, length: number) => ElementArray;

/** log2 of an element's size. */
function alignment(flags: number): number {
  return 31 - Math.clz32((flags >>> Flag.ALIGN_SHIFT) & Flag.ALIGN_MASK);
}

function elementsOf(flags: number): ElementsConstructor {
  const set = flags & Flag.FLOAT ? FLOAT : flags & Flag.SIGNED ? SIGNED : UNSIGNED;
  const Elements = set[alignment(flags)];
  if (Elements === undefined) throw new TypeError("the array's element type has no counterpart in JavaScript");
  return Elements as unknown as ElementsConstructor;
}

/** Accessors for 0.28's layout under the names that as-bind calls. */
function accessors(runtime: Runtime) {
  const words = () => new Uint32Array(runtime.memory.buffer);

  const flagsOf = (id: number): number => {
    const table = runtime.__rtti_base.value >>> 2;
    const all = words();
    if (id >>> 0 >= all[table]) throw new TypeError(`type id ${id} is not in the module`);
    const flags = all[table + 1 + id];
    if (!(flags & (Flag.BUFFER_VIEW | Flag.ARRAY | Flag.STATIC_ARRAY)))
      throw new TypeError(`type id ${id} is no array`);
    return flags;
  };

  /** Element storage of the array at `address`. */
  const locate = (address: number): { flags: number; data: number; length: number } => {
    const all = words();
    const at = address >>> 2;
    const flags = flagsOf(all[at - 2]);
    if (flags & Flag.STATIC_ARRAY) return { flags, data: address, length: all[at - 1] >>> alignment(flags) };
    const length = flags & Flag.ARRAY ? all[at + 3] : all[at + 2] >>> alignment(flags);
    return { flags, data: all[at + 1], length };
  };

  const copyOut = (address: number): ElementArray | null => {
    if (!address) return null;
    const { flags, data, length } = locate(address);
    const Elements = elementsOf(flags);
    const bytes = runtime.memory.buffer.slice(data, data + (length << alignment(flags)));
    return new Elements(bytes, 0, length);
  };

  const getters: Record<string, (address: number) => ElementArray | null> = {};
  for (const name of ["Int8", "Int16", "Int32", "Int64", "Uint8", "Uint8Clamped", "Uint16", "Uint32", "Uint64"]) {
    getters[`__get${name}ArrayView`] = copyOut;
  }
  getters.__getFloat32ArrayView = copyOut;
  getters.__getFloat64ArrayView = copyOut;

  return {
    ...getters,

    __newString(text: string | null | undefined): number {
      if (text === null || text === undefined) return 0;
      const address = runtime.__new(text.length << 1, RuntimeId.STRING) >>> 0;
      const units = new Uint16Array(runtime.memory.buffer, address, text.length);
      for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
      return address;
    },

    __getString(address: number): string | null {
      if (!address) return null;
      const units = new Uint16Array(runtime.memory.buffer, address, words()[(address >>> 2) - 1] >>> 1);
      let text = "";
      for (let i = 0; i < units.length; i += 4096) text += String.fromCharCode(...units.subarray(i, i + 4096));
      return text;
    },

    __getArrayBuffer(address: number): ArrayBuffer {
      return runtime.memory.buffer.slice(address, address + words()[(address >>> 2) - 1]);
    },

    __newArray(id: number, source: ArrayLike<number | bigint>): number {
      const flags = flagsOf(id);
      const Elements = elementsOf(flags);
      const length = source.length;
      const size = length << alignment(flags);
      const isStatic = (flags & Flag.STATIC_ARRAY) !== 0;
      const data = runtime.__new(size, isStatic ? id : RuntimeId.ARRAY_BUFFER) >>> 0;
      new Elements(runtime.memory.buffer, data, length).set(source);
      if (isStatic) return data;
      runtime.__pin(data);
      const address = runtime.__new(flags & Flag.ARRAY ? 16 : 12, id) >>> 0;
      runtime.__unpin(data);
      const all = words();
      const at = address >>> 2;
      all[at] = data;
      all[at + 1] = data;
      all[at + 2] = size;
      if (flags & Flag.ARRAY) all[at + 3] = length;
      return address;
    },

    __getArray(address: number): (number | bigint)[] | null {
      const elements = copyOut(address);
      return elements === null ? null : Array.from(elements);
    },
  };
}

/**
 * as-bind tries its converters in order, and its pattern for numbers is not anchored, so an
 * `Array<bool>` would be taken for a number. Arrays go first here, and StaticArray is added.
 */
function orderConverters(): void {
  const known = [...AsBind.converters];
  const isArrays = ([type]: [string | RegExp, unknown]) => type instanceof RegExp && type.source.startsWith("^~lib");
  const staticArray: AsBind.Converter = {
    ascToJs: (bound, value) => (bound.exports.__getArray as (address: unknown) => unknown)(value),
    jsToAsc: (bound, value, type) =>
      (bound.exports.__newArray as (id: number, source: unknown) => unknown)(bound.getTypeId(type), value),
  };
  AsBind.converters.clear();
  for (const entry of known.filter(isArrays)) AsBind.converters.set(...entry);
  AsBind.converters.set(/^~lib\/staticarray\/StaticArray</, staticArray);
  for (const entry of known) AsBind.converters.set(...entry);
}
orderConverters();

/** How many calls pass before the module's garbage is collected. */
const CALLS_BETWEEN_COLLECTIONS = 64;

/**
 * Instantiates a module built with `scripts/asbind-transform.mjs`, `--exportRuntime` and
 * `--runtime minimal`, and returns its functions with strings and arrays converted both ways.
 *
 * The minimal runtime collects only when told to, so objects that as-bind holds in the middle
 * of a call (the strings of an array of strings) cannot vanish; it is told to between calls.
 *
 * A function takes exactly as many arguments as it declares. Typed arrays come back as copies.
 */
export async function instantiateBound<T>(bytes: Uint8Array | ArrayBuffer, imports: object = {}): Promise<T> {
  const bound = await AsBind.instantiate(bytes, imports);
  const runtime = bound.exports as unknown as Runtime;
  Object.assign(bound.exports, accessors(runtime));

  let calls = 0;
  const api: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(bound.exports)) {
    if (name.startsWith("__") || typeof value !== "function") continue;
    api[name] = (...args: unknown[]) => {
      if (++calls % CALLS_BETWEEN_COLLECTIONS === 0) runtime.__collect();
      return value(...args);
    };
  }
  return api as T;
}
