// Writes the parts of the engine that follow from the instruction table:
//   isa/op.gen.ts           operation numbers
//   isa/decode.gen.ts       instruction word -> predecoded entry
//   interpreter/fast.gen.ts the run loop's switch
//   interpreter/slow.gen.ts one instruction with the hart's full state
//   translator/emit.gen.ts  one instruction as WebAssembly
//   inspect/names.gen.ts    names and operand shapes for the disassembler
import { generateDecoder } from "./generate-decoder.ts";
import { generateEmit, generateFast, generateSlow } from "./generate-dispatch.ts";
import { generateNames } from "./generate-names.ts";
import { generateOps } from "./generate-ops.ts";

/** Path under assembly/ -> content. */
export function generate(): Record<string, string> {
  return {
    "isa/op.gen.ts": generateOps(),
    "isa/decode.gen.ts": generateDecoder(),
    "interpreter/fast.gen.ts": generateFast(),
    "interpreter/slow.gen.ts": generateSlow(),
    "translator/emit.gen.ts": generateEmit(),
    "inspect/names.gen.ts": generateNames(),
  };
}
