// The few globals that Node and browsers share and that the ES library of TypeScript
// does not know. Only the projects without Node's or the DOM's own types include this
// file; nothing beyond what is listed here may be used outside platform/ and cli/.

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: ArrayBufferView | ArrayBuffer, options?: { stream?: boolean }): string;
}

declare function structuredClone<T>(value: T): T;

declare function atob(base64: string): string;
declare function btoa(binary: string): string;

declare function queueMicrotask(step: () => void): void;
declare function setTimeout(step: () => void, milliseconds: number): unknown;
declare function clearTimeout(timer: unknown): void;
