// npm run fuzz -- [--seconds N] [--seed S] [--count N] [--qemu N]: random programs on the interpreter, on the translator
// and, every Nth, on QEMU, until the time is over or two of them disagree. Status 1: they did.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { loadInspect } from "../../../src/engine/inspect.ts";
import { runQemu } from "../generator/machines.ts";
import { Random } from "../generator/random.ts";
import { built, missing, QEMU_SYSTEM } from "../generator/requirements.ts";
import { build } from "./build.ts";
import { type Difference, Lockstep } from "./lockstep.ts";
import { reduce } from "./reduce.ts";
import { comparable, type Disassemble, show } from "./report.ts";
import { randomSpec, type Spec } from "./spec.ts";

/** Steps of a program; of one that must come to its end. */
const MOST_STEPS = 150_000;
const MOST_PORTABLE = 3_000_000;
/** How long QEMU may take over a program that our machines have finished at once. */
const QEMU_SECONDS = 20;
const QEMU_EVERY = 24;
const REDUCE_MILLISECONDS = 60_000;

export interface FuzzOptions {
  first: number;
  count: number;
  /** Every how many programs QEMU is asked too; 0 for never. */
  qemuEvery: number;
  disassemble: Disassemble;
  /** Date at which to stop. */
  until?: number;
  progress?(counts: Counts): void;
}

export interface Counts {
  /** The last seed. */
  last: number;
  programs: number;
  blocks: number;
  steps: number;
  onQemu: number;
}

export interface Found extends Counts {
  /** The program on which two machines disagreed, made small; "" if there was none. */
  report: string;
}

/** Runs the programs that the seeds from `first` on name. */
export function fuzz({ first, count, qemuEvery, disassemble, until = Infinity, progress }: FuzzOptions): Found {
  const lockstep = new Lockstep();
  const counts: Counts = { last: first, programs: 0, blocks: 0, steps: 0, onQemu: 0 };
  for (let seed = first; seed < first + count && Date.now() < until; seed++) {
    const portable = qemuEvery > 0 && seed % qemuEvery === 0;
    const spec = randomSpec(seed, new Random(seed), portable);
    const most = portable ? MOST_PORTABLE : MOST_STEPS;
    const result = lockstep.run(spec, most);
    counts.last = seed;
    counts.programs++;
    counts.blocks += spec.functions.reduce((sum, f) => sum + f.pieces.length, 0);
    counts.steps += result.steps;
    if (result.difference) return { ...counts, report: explain(lockstep, spec, most, result.difference, disassemble) };
    // A few return to themselves for ever, where the call stack is not mapped.
    if (portable && result.ended) {
      counts.onQemu++;
      if (againstQemu(spec, result.ram).length > 0)
        return { ...counts, report: explainQemu(lockstep, spec, disassemble) };
    }
    progress?.(counts);
  }
  return { ...counts, report: "" };
}

function explain(lockstep: Lockstep, spec: Spec, most: number, first: Difference, disassemble: Disassemble): string {
  const fails = (s: Spec) => holds(() => lockstep.run(s, most).difference !== undefined);
  const least = reduce(spec, fails, REDUCE_MILLISECONDS);
  const found = lockstep.locate(least, most, lockstep.run(least, most).difference ?? first);
  const trace = lockstep.trace(least, most, found).map((pc) => pc.toString(16));
  return `${show(least, build(least), found, disassemble)}\n  before: ${trace.join(" ")}`;
}

function explainQemu(lockstep: Lockstep, spec: Spec, disassemble: Disassemble): string {
  const look = (s: Spec) => {
    const { ended, ram } = lockstep.run(s, MOST_PORTABLE);
    return ended ? againstQemu(s, ram) : [];
  };
  const least = reduce(spec, (s) => holds(() => look(s).length > 0), 2 * REDUCE_MILLISECONDS);
  return show(least, build(least), { steps: 0, run: 0, budget: 0, lines: look(least) }, disassemble);
}

/** Where `ram`, which the program left, differs from QEMU's. */
function againstQemu(spec: Spec, ram: Uint8Array): string[] {
  try {
    return comparable(ram, runQemu(build(spec).image, undefined, QEMU_SECONDS));
  } catch (error) {
    return [`QEMU: ${error instanceof Error ? error.message : error}`];
  }
}

/** A smaller program may be one that cannot be laid out. */
function holds(run: () => boolean): boolean {
  try {
    return run();
  } catch {
    return false;
  }
}

const USAGE = `usage: npm run fuzz -- [options], all of them numbers
  --seconds N  how long (60)
  --seed S     of the first program (by the clock)
  --count N    programs at most
  --qemu N     every Nth program runs on QEMU, too (${QEMU_EVERY}; 0: none)
`;
const LIMITS = { seconds: 1e9, seed: 2 ** 32, count: 1e9, qemu: 1e9 };

type Options = Record<keyof typeof LIMITS, number>;

/** What the arguments ask for; a sentence if that is nothing we know. */
function readOptions(args: string[]): Options | string {
  const chosen: Options = {
    seconds: 60,
    seed: Date.now() % 1_000_000_000,
    count: LIMITS.count,
    qemu: missing(QEMU_SYSTEM) === undefined ? QEMU_EVERY : 0,
  };
  const names = Object.keys(LIMITS) as (keyof Options)[];
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  try {
    const { values } = parseArgs({ args, options });
    for (const name of names) {
      if (values[name] === undefined) continue;
      const value = Number(values[name]);
      if (!Number.isInteger(value) || value < 0 || value > LIMITS[name])
        return `--${name} ${values[name]}: a number from 0 to ${LIMITS[name]} is wanted`;
      chosen[name] = value;
    }
    return chosen;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export async function main(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    process.stdout.write(USAGE);
    return 0;
  }
  const options = readOptions(args);
  if (typeof options === "string") {
    process.stderr.write(`fuzz: ${options}\n${USAGE}`);
    return 2;
  }
  const { disassemble } = await loadInspect(readFileSync(built("inspect.wasm")));
  const first = options.seed;
  const began = Date.now();
  let reported = began;
  const say = ({ last, programs, blocks, steps, onQemu }: Counts) => {
    const seconds = (Date.now() - began) / 1000;
    process.stderr.write(
      `fuzz: seeds ${first} to ${last}: ${programs} programs, ${blocks} blocks (${Math.round(blocks / seconds)}/s), ` +
        `${(steps / 1e6).toFixed(1)} M steps, ${onQemu} programs on QEMU too\n`,
    );
    reported = Date.now();
  };
  const found = fuzz({
    first,
    count: options.count,
    qemuEvery: options.qemu,
    disassemble,
    until: began + 1000 * options.seconds,
    progress: (counts) => {
      if (Date.now() - reported > 10_000) say(counts);
    },
  });
  say(found);
  if (found.report !== "") process.stdout.write(`${found.report}\n`);
  return found.report === "" ? 0 : 1;
}
