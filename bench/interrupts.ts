// How long does an interrupt that the host raises wait until the guest takes it, while the
// guest computes?
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

/** Microseconds from the moment an event falls due to the guest's handler, sorted. */
async function waits(tier: Tier, count: number): Promise<number[]> {
  const engine = await loadBareMetal(buildKernel("interrupts", 1, { defines: [`COUNT=${count}`] }), { tier });
  const now = () => Number(engine.exports.getReg(0, TIME));
  const log = engine.physical(LOG, 8 * (count + 1));
  if (log === undefined) throw new Error("the log lies outside RAM");
  const words = new DataView(log.buffer, log.byteOffset, log.length);
  const handled = () => Number(words.getBigUint64(0, true));

  const found: number[] = [];
  let due = Number.POSITIVE_INFINITY;
  let raised = 0;
  for (let exit = Exit.BUDGET; exit === Exit.BUDGET; exit = engine.exports.run(SLICE)) {
    if (handled() > found.length) {
      found.push((Number(words.getBigUint64(8 * raised, true)) - due) / TICKS_PER_US);
      due = nextAfter(now());
    } else if (due === Number.POSITIVE_INFINITY) {
      // The guest is ready when it has enabled the interrupt: its machine is warm by then.
      if (engine.exports.getReg(0, Register.CSR + 0x304) !== 0n) due = nextAfter(now());
    } else if (raised === found.length && now() >= due) {
      engine.writeScratch(new Uint8Array([0]));
      engine.exports.consoleInput(ConsolePort.UART, Machine.SCRATCH, 1);
      raised++;
    }
  }
  return found.sort((a, b) => a - b);
}

async function run({ quick, progress }: Context): Promise<Report> {
  const count = quick ? 300 : 3000;
  const rows: Row[] = [];
  for (const tier of ["auto", "interpreter"] as const) {
    progress(tier);
    const sorted = await waits(tier, count);
    const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))];
    rows.push({ tier, median: at(0.5), p99: at(0.99), most: at(1) });
  }
  return {
    columns: [
      { key: "tier", title: "tier" },
      { key: "median", title: "median us", digits: 1 },
      { key: "p99", title: "99th percentile", digits: 1 },
      { key: "most", title: "longest", digits: 1 },
    ],
    rows,
    marks: [{ what: "99th percentile", value: rows[0].p99 as number, limit: MARK, atLeast: false, unit: " us" }],
    notes: [
      `${count} UART interrupts at no fixed distance, from the moment each falls due to the first instructions of its handler`,
      "time is the host's, so whatever else it does meanwhile counts too",
    ],
  };
}

export const interrupts: Benchmark = {
  question: "How long does an interrupt from the host wait while the guest computes?",
  run,
};
