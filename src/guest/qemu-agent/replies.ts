// What comes out of the agent's port, taken apart. It is the guest's, so it is hostile: a
// reply has a largest size and a deepest nesting, and what it holds is checked before it
// is believed.
import { AgentError } from "../../errors.ts";

/** Bytes of one reply: an exec's output of 16 MiB in base64, twice, and something around it. */
const REPLY_MAX = 48 * 1024 * 1024;
const DEPTH_MAX = 32;

const NEWLINE = 10;
/** Stands in front of the reply to guest-sync-delimited, and in no text. */
const SENTINEL = 0xff;

/** A line, and whether the sentinel stood in front of it. */
export interface Line {
  text: string;
  isDelimited: boolean;
}

/** Gathers bytes to lines. */
export class LineReader {
  #chunks: Uint8Array[] = [];
  #size = 0;
  #isDelimited = false;
  /** In the middle of a line that is too long: it goes nowhere. */
  #isTooLong = false;

  /** Lines that `bytes` completes. @throws AgentError at the first line that is too long; what follows is lost. */
  push(bytes: Uint8Array): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] === SENTINEL) {
        // Whatever stood before it belongs to a conversation that is over.
        this.#forget();
        this.#isDelimited = true;
        start = at + 1;
      } else if (bytes[at] === NEWLINE) {
        this.#add(bytes.subarray(start, at));
        start = at + 1;
        if (!this.#isTooLong) lines.push({ text: this.#text(), isDelimited: this.#isDelimited });
        this.#forget();
      }
    }
    this.#add(bytes.subarray(start));
    return lines;
  }

  #add(bytes: Uint8Array): void {
    this.#size += bytes.length;
    if (this.#size > REPLY_MAX) {
      this.#isTooLong = true;
      this.#chunks = [];
    } else if (bytes.length > 0) this.#chunks.push(bytes);
  }

  #text(): string {
    const all = new Uint8Array(this.#size);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return new TextDecoder().decode(all);
  }

  #forget(): void {
    this.#chunks = [];
    this.#size = 0;
    this.#isDelimited = false;
    this.#isTooLong = false;
  }
}

/** False if brackets nest too deep; text that is no JSON may pass. */
function isShallow(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > DEPTH_MAX) return false;
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
  return true;
}

export type Reply = { result: unknown } | { error: { class: string; description: string } };

/** undefined for a line that is no reply at all. */
export function parseReply(text: string): Reply | undefined {
  if (!isShallow(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  if (Object.hasOwn(value, "error")) {
    const error = (value as { error: unknown }).error as Record<string, unknown> | null;
    return { error: { class: String(error?.class ?? ""), description: String(error?.desc ?? "").slice(0, 1000) } };
  }
  return Object.hasOwn(value, "return") ? { result: (value as { return: unknown }).return } : undefined;
}

/** A result whose parts are checked as they are taken. */
export class Result {
  readonly #command: string;
  readonly #value: unknown;

  constructor(command: string, value: unknown) {
    this.#command = command;
    this.#value = value;
  }

  #fail(wanted: string): never {
    throw new AgentError(`${this.#command}: the guest's agent answered with no ${wanted} where one belongs`);
  }

  /** Member `name` of an object; undefined within if there is none. */
  get(name: string): Result {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.#fail("object");
    const member = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
    return new Result(`${this.#command}: ${name}`, member);
  }

  get value(): unknown {
    return this.#value;
  }

  get isAbsent(): boolean {
    return this.#value === undefined;
  }

  text(): string {
    return typeof this.#value === "string" ? this.#value : this.#fail("text");
  }

  number(): number {
    return typeof this.#value === "number" && Number.isFinite(this.#value) ? this.#value : this.#fail("number");
  }

  boolean(): boolean {
    return typeof this.#value === "boolean" ? this.#value : this.#fail("truth value");
  }

  /** Bytes in base64. */
  bytes(): Uint8Array {
    let binary: string;
    try {
      binary = atob(this.text());
    } catch {
      this.#fail("base64");
    }
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  }

  list(): Result[] {
    const { value } = this;
    if (!Array.isArray(value)) this.#fail("list");
    return value.map((item, i) => new Result(`${this.#command}[${i}]`, item));
  }

  /** The same where it may be absent. */
  optional<R>(take: (result: Result) => R): R | undefined {
    return this.isAbsent ? undefined : take(this);
  }
}

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
