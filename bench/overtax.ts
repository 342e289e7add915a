// What do direct calls cost neighbours? `paravane compare --overtax`, held to what the project promised of budgets: of one
// noisy guest. With one a core everybody waits for cores, which is printed beside it.
import { cpus, release, type } from "node:os";
import { fileURLToPath } from "node:url";
import { overtaxHost } from "../src/cli/overtax.ts";
import { type QuietFigures, runOvertax } from "../src/compare/overtax/index.ts";
import type { Benchmark, Context, Mark, Report, Row } from "./measure/report.ts";

const PROBE = fileURLToPath(new URL("./probe/probe.elf", import.meta.url));
/** Of the quiet guest, beside neighbours that want ten times their budgets. */
const LEAST_THROUGHPUT = 95;
const MOST_P99 = 1.5;

async function run({ quick, progress }: Context): Promise<Report> {
  const host = overtaxHost(PROBE);
  try {
    const machine = { processor: cpus()[0]?.model ?? "unknown", system: `${type()} ${release()}` };
    const one = await runOvertax({ host, machine, quick, progress, noisyGuests: 1 });
    const all = await runOvertax({ host, machine, quick, progress });
    const line = (guests: number, noise: string, times: number, kind: string, it: QuietFigures): Row => ({
      ...{ guests, noise, kind, times: times === 0 ? "silent" : `${times}x` },
      ...{ done: it.done, throughput: it.throughput, left: it.throughputRatio * 100, p99: it.p99, ratio: it.p99Ratio },
    });
    const marks = one.rows.flatMap(({ what, steps }): Mark[] => {
      const { times, withBudgets } = steps[steps.length - 1];
      const beside = `beside ${times} times the budget (${what})`;
      return [
        {
          what: `throughput left ${beside}`,
          value: withBudgets.throughputRatio * 100,
          limit: LEAST_THROUGHPUT,
          atLeast: true,
          unit: " %",
        },
        { what: `p99 ${beside}`, value: withBudgets.p99Ratio, limit: MOST_P99, atLeast: false, unit: " times" },
      ];
    });
    return {
      columns: [
        { key: "guests", title: "noisy guests" },
        { key: "noise", title: "noise" },
        { key: "kind", title: "budgets" },
        { key: "times", title: "asked" },
        { key: "done", title: "done/s" },
        { key: "throughput", title: "requests/s" },
        { key: "left", title: "left %" },
        { key: "p99", title: "p99 us" },
        { key: "ratio", title: "p99 times", digits: 2 },
      ],
      rows: [one, all].flatMap(({ noisyGuests, rows }) =>
        rows.flatMap(({ noise, steps }) => [
          ...steps.map((step) => line(noisyGuests, noise, step.times, "without", step.withoutBudgets)),
          ...steps.map((step) => line(noisyGuests, noise, step.times, "with", step.withBudgets)),
        ]),
      ),
      marks,
      notes: [`a quiet guest beside noisy ones on ${one.cores} cores; quiet: ${one.quiet}`],
    };
  } finally {
    host.remove();
  }
}

export const overtax: Benchmark = { question: "What do direct calls cost neighbours?", run };
