// Random instruction sequences on our engine and on QEMU: all registers, flags, traps and
// memory compared. A block that disagrees is shrunk and shown with the seed that made it.
// PARAVANE_LONG=1 runs many more.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { Ext } from "../../assembly/abi/ext.ts";
import { Tier } from "../../assembly/abi/layout.ts";
import { type Inspect, loadInspect } from "../../src/engine/inspect.ts";
import { ALL_EXTENSIONS } from "../../src/machine/cpu.ts";
import { assemble, type Block, groups, randomBlock } from "./generator/blocks.ts";
import { runEngine, runQemu } from "./generator/machines.ts";
import { Random } from "./generator/random.ts";
import { RECORD_SIZE, scratchAddress } from "./generator/records.ts";
import { built, LONG, missing, QEMU_SYSTEM, QEMU_USER } from "./generator/requirements.ts";
import { disagreements, shrink } from "./generator/shrink.ts";
import { fitsUserMode, runUserEngine, runUserQemu, userProgram, userScratch } from "./generator/user-mode.ts";

const unavailable = missing(QEMU_SYSTEM);
/** Blocks in one program, and programs a group: each is a run of QEMU's. */
const BLOCKS = 1000;
const PROGRAMS = LONG ? 30 : 1;

let inspect: Inspect;
beforeAll(async () => {
  inspect = await loadInspect(readFileSync(built("inspect.wasm")));
});

function show(block: Block, seed: number, index: number, differences: string[]): string {
  const { x, f, fcsr, fs } = block.registers;
  const hex = (v: bigint) => `0x${v.toString(16)}`;
  const lines = assemble(block.items).map(({ word }) => `  ${inspect.disassemble(0, 0, word)}`);
  return [
    `seed ${seed} block ${index}, ${block.mode === 3 ? "M" : "U"}-mode, fcsr ${hex(fcsr)}, mstatus.FS ${fs}`,
    ...lines,
    ...differences.map((line) => `  ${line}`),
    `  before: ${x.map((v, n) => `x${n} ${hex(v)}`).join(" ")}`,
    `  ${f.map((v, n) => `f${n} ${hex(v)}`).join(" ")}`,
  ].join("\n");
}

interface Variation {
  extensions?: bigint;
  tier?: Tier;
  /** Place blocks so that a page ends within them. */
  straddle?: boolean;
}

/** What the first few blocks that disagree come down to. */
function compare(group: string, seed: number, variation: Variation = {}): string[] {
  const { extensions = ALL_EXTENSIONS, tier, straddle } = variation;
  // A block is translated when it begins for the second time, and runs so the third time; a module has few functions.
  const [count, passes] = tier === Tier.TRANSLATOR ? [BLOCKS / 4, 4] : [BLOCKS, 2];
  const random = new Random(seed);
  const compressed = ((extensions >> BigInt(Ext.C)) & 1n) === 1n;
  const blocks = Array.from({ length: count }, (_, index) => {
    const scratch = (offset: number) => scratchAddress(index, offset);
    const block = randomBlock(group, random, scratch, (row) => compressed || row.length === 4);
    return straddle ? { ...block, beforePageEnd: 2 * random.between(1, 30) } : block;
  });
  const ours = (image: Uint8Array) => runEngine(image, { extensions, tier });
  const theirs = (image: Uint8Array) => runQemu(image, extensions);
  const found = [...disagreements(blocks, ours, theirs, passes).keys()].slice(0, 3);
  return found.map((index) => {
    const least = shrink(blocks[index], ours, theirs, passes);
    const differences = disagreements([least], ours, theirs, passes).get(0) ?? [];
    return show(least, seed, index, differences);
  });
}

describe.skipIf(unavailable !== undefined)("random blocks against QEMU", () => {
  const each = (name: string, group: string, seed: number, variation: Variation = {}) =>
    test(name, { timeout: 1_800_000 }, () => {
      for (let n = 0; n < PROGRAMS; n++) expect(compare(group, seed + n, variation)).toEqual([]);
    });
  Object.keys(groups).forEach((group, n) => {
    each(group, group, 1000 * (n + 1));
    each(`${group}, translated`, group, 1000 * (n + 1) + 500, { tier: Tier.TRANSLATOR });
  });
  // An instruction whose halves lie on two pages always takes the slow path, whatever it is.
  each("every extension, over page ends", "all", 20_000, { straddle: true });
  each("without C", "all", 30_000, { extensions: ALL_EXTENSIONS & ~(1n << BigInt(Ext.C)) });
});

describe.skipIf(missing(QEMU_USER) !== undefined)("random blocks against QEMU's user mode", () => {
  test.each(Object.keys(groups))("%s", { timeout: 1_800_000 }, (group) => {
    for (let n = 0; n < (LONG ? 30 : 1); n++) {
      const seed = 40_000 + n;
      const random = new Random(seed);
      const blocks = Array.from({ length: 300 }, (_, index) => {
        const block = randomBlock(group, random, (offset) => userScratch(index, offset));
        return { ...block, items: block.items.filter((item) => fitsUserMode(item, block.registers)) };
      });
      expect(blocks.reduce((sum, block) => sum + block.items.length, 0)).toBeGreaterThan(3000);
      const program = userProgram(blocks);
      const [ours, theirs] = [runUserEngine(program), runUserQemu(program)];
      const bad = blocks.flatMap((block, index) => {
        const of = (records: Uint8Array) => records.subarray(index * RECORD_SIZE, (index + 1) * RECORD_SIZE);
        return Buffer.compare(of(ours), of(theirs)) === 0 ? [] : [show(block, seed, index, [])];
      });
      expect(bad.slice(0, 3)).toEqual([]);
    }
  });
});
