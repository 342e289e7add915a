// How long does an interrupt wait until the guest takes it, while the guest computes?
import { ConsolePort } from "../assembly/abi/device.ts";
import { Exit } from "../assembly/abi/exit.ts";
import { Gpa, Machine } from "../assembly/abi/layout.ts";
import { Register } from "../src/engine/exports.ts";
import { buildKernel } from "./kernels/build.ts";
import { loadBareMetal, SLICE, type Tier } from "./measure/bare-metal.ts";
import type { Benchmark, Context, Report, Row } from "./measure/report.ts";

/** The promise: microseconds at the 99th percentile. */
const MARK = 100;
/** Where kernels/interrupts.c keeps its log. */
const LOG = Gpa.RAM + 0x80_0000;
const TICKS_PER_US = 10;
const TIME = Register.CSR + 0xc01;
/** Ticks between one interrupt and the next: 0.1 to 1.1 ms, at no fixed distance. */
const nextAfter = (now: number) => now + 1_000 + Math.random() * 10_000;

/** A machine that computes with interrupts enabled, and its log: entry 0 is how many were handled. */
async function interrupted(tier: Tier, count: number, timer: boolean) {
  const defines = [`COUNT=${count}`, `TIMER=${timer ? 1 : 0}`];
  const engine = await loadBareMetal(buildKernel("interrupts", 1, { defines }), { tier });
  const bytes = engine.physical(LOG, 8 * (count + 1));
  if (bytes === undefined) throw new Error("the log lies outside RAM");
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { engine, log: (n: number) => Number(words.getBigUint64(8 * n, true)) };
}

/** Microseconds from the moment the host raises an interrupt to the guest's handler, sorted. */
async function raised(tier: Tier, count: number): Promise<number[]> {
  const { engine, log } = await interrupted(tier, count, false);
  const now = () => Number(engine.exports.getReg(0, TIME));
  const found: number[] = [];
  let next = Number.POSITIVE_INFINITY;
  let at = 0;
  for (let exit = Exit.BUDGET; exit === Exit.BUDGET; exit = engine.exports.run(SLICE)) {
    if (log(0) > found.length) {
      found.push((log(found.length + 1) - at) / TICKS_PER_US);
      next = nextAfter(now());
    } else if (next === Number.POSITIVE_INFINITY) {
      // The guest is ready when it has enabled the interrupt: its machine is warm by then.
      if (engine.exports.getReg(0, Register.CSR + 0x304) !== 0n) next = nextAfter(now());
    } else if (now() >= next) {
      engine.writeScratch(new Uint8Array([0]));
      at = now();
      engine.exports.consoleInput(ConsolePort.UART, Machine.SCRATCH, 1);
      next = Number.MAX_VALUE;
    }
  }
  return found.sort((a, b) => a - b);
}

/** Microseconds from the moment the timer's comparison becomes true to the guest's handler, sorted. */
async function timed(tier: Tier, count: number): Promise<number[]> {
  const { engine, log } = await interrupted(tier, count, true);
  while (engine.exports.run(SLICE) === Exit.BUDGET);
  return Array.from({ length: count }, (_, n) => log(n + 1) / TICKS_PER_US).sort((a, b) => a - b);
}

async function run({ quick, progress }: Context): Promise<Report> {
  const count = quick ? 300 : 3000;
  const rows: Row[] = [];
  for (const tier of ["auto", "interpreter"] as const) {
    for (const source of ["host", "timer"] as const) {
      progress(`${tier}: ${source}`);
      const sorted = await (source === "host" ? raised : timed)(tier, count);
      const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))];
      rows.push({ tier, source, median: at(0.5), p99: at(0.99), most: at(1) });
    }
  }
  const mark = (n: number, what: string) => ({
    what: `99th percentile, ${what}`,
    value: rows[n].p99 as number,
    limit: MARK,
    atLeast: false,
    unit: " us",
  });
  return {
    columns: [
      { key: "tier", title: "tier" },
      { key: "source", title: "raised by" },
      { key: "median", title: "median us", digits: 1 },
      { key: "p99", title: "99th percentile", digits: 1 },
      { key: "most", title: "longest", digits: 1 },
    ],
    rows,
    marks: [mark(0, "raised by the host"), mark(1, "raised by the timer")],
    notes: [
      `${count} interrupts each, at no fixed distance, from the moment each is raised to the first instructions of its handler`,
      "the host raises one when it has the processor, which it gets every millisecond; the timer is looked at between turns",
      "time is the host's, so whatever else it does meanwhile counts too",
    ],
  };
}

export const interrupts: Benchmark = {
  question: "How long does an interrupt wait while the guest computes?",
  run,
};
