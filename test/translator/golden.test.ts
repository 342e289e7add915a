// What the translator writes, as text: each program of golden/programs.ts is run until its code
// is translated, and compared with golden/NAME.txt. PARAVANE_GOLDEN=write writes the files anew.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { regionText } from "../../src/cli/region-text.ts";
import { wasmText } from "../../src/cli/wasm-text.ts";
import { Register } from "../../src/engine/exports.ts";
import { type Inspect, loadInspect } from "../../src/engine/inspect.ts";
import { readRegions, type TranslatedRegion } from "../../src/engine/regions.ts";
import { functionModule } from "../../src/engine/wasm-module.ts";
import { Assembler } from "../isa/generator/assembler.ts";
import { startEngine } from "../isa/generator/machines.ts";
import { built } from "../isa/generator/requirements.ts";
import { begin, programs } from "./golden/programs.ts";

const WRITE = process.env.PARAVANE_GOLDEN === "write";
/** More than any program takes, in slices short enough that modules are installed on the way. */
const SLICES = 8000;
const SLICE = 1000;

let inspect: Inspect;
beforeAll(async () => {
  inspect = await loadInspect(readFileSync(built("inspect.wasm")));
});

function run(name: string, logRegions: boolean) {
  const asm = new Assembler(0x4000);
  begin(asm);
  programs[name](asm);
  const engine = startEngine(asm.finish(), { logRegions });
  for (let n = 0; n < SLICES; n++) engine.exports.run(SLICE);
  return engine;
}

/** What ran and is in force at the end, in the order of addresses, without where the program waits then. */
function translate(name: string): TranslatedRegion[] {
  const engine = run(name, true);
  const end = engine.exports.getReg(0, Register.PC);
  if (engine.regionSource === undefined) throw new Error("no log of regions");
  const all = readRegions(engine.view, engine.regionSource, inspect);
  return all
    .filter(({ pc, state, runs }) => state === "live" && runs > 0n && pc !== end)
    .sort((a, b) => (a.pc < b.pc ? -1 : 1));
}

describe("golden", () => {
  it.each(Object.keys(programs))("%s", (name) => {
    const path = fileURLToPath(new URL(`golden/${name}.txt`, import.meta.url));
    const regions = translate(name);
    expect(regions).not.toEqual([]);
    const text = regions.map((it) => regionText(it, { counts: false, symbolize: () => "" })).join("\n");
    if (WRITE) writeFileSync(path, text);
    expect(existsSync(path), `${path} is missing: run with PARAVANE_GOLDEN=write`).toBe(true);
    expect(text).toBe(readFileSync(path, "utf8"));
  });
});

describe("the log of regions", () => {
  it("changes nothing in the code but for what counts", () => {
    const [region] = translate("loads-and-stores");
    const logged = region.code!;
    const plain: Uint8Array[] = [];
    const { Module } = WebAssembly;
    try {
      WebAssembly.Module = class extends Module {
        constructor(bytes: Uint8Array<ArrayBuffer>) {
          super(bytes);
          plain.push(bytes);
        }
      } as typeof Module;
      run("loads-and-stores", false);
    } finally {
      WebAssembly.Module = Module;
    }
    // The first module is the way in.
    const texts = plain.slice(1).map((module) => wasmText({ ...logged, module: functionModule(module, 0) }));
    expect(texts).toContainEqual(wasmText(logged, { instructions: false }));
  });
});
