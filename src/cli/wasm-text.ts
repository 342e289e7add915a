// A region's WebAssembly as text. What only counts becomes a comment with its count, or nothing,
// and the marks of instructions become their assembly text; locals go by what they stand for.
import { BinaryReader, DefaultNameResolver, WasmDisassembler } from "wasmparser";
import type { RegionCode } from "../engine/regions.ts";

export interface WasmTextOptions {
  /** Comments with what was counted. */
  counts?: boolean;
  /** Comments with the guest's instructions. Default: yes. */
  instructions?: boolean;
}

class Names extends DefaultNameResolver {
  readonly #locals: readonly string[];
  constructor(locals: readonly string[]) {
    super();
    this.#locals = locals;
  }
  override getVariableName(_func: number, index: number): string {
    return `$${this.#locals[index] ?? index}`;
  }
}

/** The lines of the module's function, unchanged. */
function disassemble({ module, locals }: RegionCode): string[] {
  const reader = new BinaryReader();
  reader.setData(module.buffer, 0, module.length);
  const disassembler = new WasmDisassembler();
  disassembler.nameResolver = new Names(locals);
  const lines = disassembler.disassemble(reader).split("\n");
  const first = lines.findIndex((line) => line.startsWith("  (func "));
  // The last lines close function and module.
  const last = lines.lastIndexOf("  )");
  return lines.slice(first, last + 1).map((line) => line.slice(2));
}

const COUNTER = [
  /^i32\.const 0$/,
  /^i32\.const 0$/,
  /^i64\.load offset=(\d+) /,
  /^i64\.const 1$/,
  /^i64\.add$/,
  /^i64\.store offset=(\d+) /,
];

/** Address of the counter that is counted up from line `n` on. */
function counterAt(lines: readonly string[], n: number): number | undefined {
  let address: number | undefined;
  for (const [i, pattern] of COUNTER.entries()) {
    const match = pattern.exec(lines[n + i]?.trimStart() ?? "");
    if (match === null) return undefined;
    if (match[1] !== undefined) address = Number(match[1]);
  }
  return address;
}

/** Number of the instruction that line `n` marks. */
function markAt(lines: readonly string[], n: number): number | undefined {
  if (lines[n + 1]?.trimStart() !== "drop") return undefined;
  const match = /^i32\.const (\d+)$/.exec(lines[n].trimStart());
  return match === null ? undefined : Number(match[1]);
}

/** Numbers from here on are addresses and masks, which people read in hexadecimal. */
const LARGE = 0x1_0000n;

function readable(line: string, { addresses }: RegionCode): string {
  return line
    .replace(/ align=1$/, "")
    .replace(/(?<=\boffset=)\d+/, (offset) => {
      const name = addresses.get(Number(offset));
      return name === undefined ? offset : `$${name}`;
    })
    .replace(/(?<=\bi(?:32|64)\.const )-?\d+$/, (text) => {
      const value = BigInt(text);
      if (value < LARGE && value > -LARGE) return text;
      return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
    });
}

/**
 * The function's text, a line an operator. It is close to WebAssembly's own text format, but for
 * names as offsets of what lies in the hart's state.
 */
export function wasmText(code: RegionCode, { counts = false, instructions = true }: WasmTextOptions = {}): string[] {
  const lines = disassemble(code);
  const text: string[] = [];
  for (let n = 0; n < lines.length; ) {
    const indent = /^ */.exec(lines[n])?.[0] ?? "";
    const counter = code.counters.get(counterAt(lines, n) ?? -1);
    if (counter !== undefined) {
      if (counts) text.push(`${indent};; ${counter.what}: ${counter.count}`);
      n += COUNTER.length;
      continue;
    }
    const instruction = code.instructions[markAt(lines, n) ?? -1];
    if (instruction !== undefined) {
      if (instructions) text.push(`${indent};; ${instruction.pc.toString(16)}  ${instruction.text}`);
      n += 2;
      continue;
    }
    const line = readable(lines[n], code);
    // A region's number is an accident.
    if (line.endsWith("i32.store offset=$reporter")) text.push(`${text.pop()?.replace(/\d+$/, "$region")}`);
    text.push(line);
    n++;
  }
  return text;
}
