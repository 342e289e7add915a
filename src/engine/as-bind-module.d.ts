// as-bind publishes no types for its browser-and-Node bundle (a bare `import "as-bind"`
// in Node gives its compiler transform instead). This is the part that as-bind.ts uses.
declare module "as-bind/dist/as-bind.esm.js" {
  export interface Bound {
    /** Exports with strings and arrays converted; the runtime's own (`__new`, ...) among them. */
    exports: Record<string, unknown>;
    getTypeId(type: string): number;
  }
  export interface Converter {
    ascToJs(bound: Bound, value: unknown, type: string): unknown;
    jsToAsc(bound: Bound, value: unknown, type: string): unknown;
  }
  /** Tried in order; the first key that equals or matches the type's name is used. */
  export const converters: Map<string | RegExp, Converter>;
  export function instantiate(bytes: Uint8Array | ArrayBuffer, imports?: object): Promise<Bound>;
}
