// Compiles assembly/fp on its own and runs records through it, as the reference does.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { HartAt } from "../../../assembly/abi/layout.ts";
import { WORDS } from "./operands.ts";
import { operations } from "./operations.ts";

type Export = (...args: (number | bigint)[]) => number | bigint;

export class Engine {
  readonly exports: Record<string, Export>;
  private readonly memory = new WebAssembly.Memory({ initial: 384 });

  private constructor(module: WebAssembly.Module) {
    // Nothing but the memory is offered: an import of abort would fail here.
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory } });
    this.exports = instance.exports as unknown as Record<string, Export>;
  }

  static async compile(): Promise<Engine> {
    const folder = mkdtempSync(join(tmpdir(), "paravane-fp-"));
    try {
      const out = join(folder, "fp.wasm");
      const baseDir = fileURLToPath(new URL("../../..", import.meta.url));
      const options = "--runtime stub -O3 --noAssert --importMemory --memoryBase 524288 --enable threads".split(" ");
      const { error, stderr } = await asc.main(["test/isa/fp/entry.ts", "-o", out, "--baseDir", baseDir, ...options]);
      if (error) throw new Error(`assembly/fp does not compile: ${stderr}`, { cause: error });
      return new Engine(new WebAssembly.Module(readFileSync(out)));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  run(records: Uint32Array): BigUint64Array {
    const count = records.length / WORDS;
    const wide = new BigUint64Array(records.buffer, records.byteOffset, records.length / 2);
    const flags = new Uint32Array(this.memory.buffer, HartAt.FFLAGS, 1);
    const results = new BigUint64Array(2 * count);
    const functions = operations.map((o) => this.exports[o.name]);
    for (let i = 0; i < count; i++) {
      const at = i * WORDS;
      const operation = operations[records[at]];
      const f = functions[records[at]];
      const narrow = operation.operands === "s" || operation.operands === "w";
      const args: (number | bigint)[] = [];
      for (let k = 1; k <= operation.arity; k++) args.push(narrow ? records[at + 2 * k] : wide[at / 2 + k]);
      if (operation.rounds) args.push(records[at + 1] & 0xff);
      flags[0] = records[at + 1] >>> 8;
      const r = f(...args);
      results[2 * i] = typeof r === "bigint" ? BigInt.asUintN(64, r) : BigInt(r >>> 0);
      results[2 * i + 1] = BigInt(flags[0]);
    }
    return results;
  }
}
