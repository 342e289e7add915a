// How fast is the interpreter beside QEMU's translator in system mode?

import { buildKernel } from "./kernels/build.ts";
import { KERNELS, type Kernel } from "./kernels/catalogue.ts";
import { type BareMetalRun, runBareMetal } from "./measure/bare-metal.ts";
import type { TimedRun } from "./measure/cpu-time.ts";
import type { Benchmark, Context, Report, Row } from "./measure/report.ts";
import { inTurns } from "./measure/rounds.ts";
import { geometricMean, median, pairedRatio } from "./measure/statistics.ts";
import { findQemu, type Qemu, runOnQemu } from "./peer/qemu.ts";

const LIMIT_SECONDS = 60;
/** The promise for this tier: a quarter of QEMU's speed on integer kernels. */
const MARK = 0.25;

/** Our interpreter is warm, as after the first second of any guest: its code is compiled for good. */
async function warmUp({ name, iterations }: Kernel): Promise<void> {
  await runBareMetal(buildKernel(name, Math.ceil(iterations / 10)), LIMIT_SECONDS);
}

interface Measured {
  kernel: Kernel;
  mips: number;
  qemuMips: number;
  ratio: number;
}

class Contest {
  readonly #qemu: Qemu;
  readonly #rounds: number;
  /** QEMU's CPU time for a program that ends at once. */
  readonly #startUp: number;

  private constructor(qemu: Qemu, rounds: number, startUp: number) {
    this.#qemu = qemu;
    this.#rounds = rounds;
    this.#startUp = startUp;
  }

  static async prepare(qemu: Qemu, rounds: number): Promise<Contest> {
    const empty = buildKernel("empty", 0);
    const run = async () => (await runOnQemu(qemu, empty, LIMIT_SECONDS)).cpu;
    const samples = await inTurns([{ name: "empty", run }], Math.max(rounds, 3));
    return new Contest(qemu, rounds, median(samples.get("empty") ?? []));
  }

  async measure(kernel: Kernel, quick: boolean): Promise<Measured> {
    const program = buildKernel(kernel.name, quick ? Math.ceil(kernel.iterations / 4) : kernel.iterations);
    await warmUp(kernel);
    let ours: BareMetalRun | undefined;
    let theirs: TimedRun | undefined;
    const samples = await inTurns(
      [
        {
          name: "paravane",
          run: async () => {
            ours = await runBareMetal(program, LIMIT_SECONDS);
            return ours.cpu;
          },
        },
        {
          name: "qemu",
          run: async () => {
            theirs = await runOnQemu(this.#qemu, program, LIMIT_SECONDS);
            return theirs.cpu - this.#startUp;
          },
        },
      ],
      this.#rounds,
    );
    if (ours === undefined || theirs === undefined) throw new Error(`${kernel.name} was not measured`);
    if (ours.checksum !== theirs.output.trim() || ours.checksum !== ours.output.trim()) {
      const said = `${ours.checksum} in our memory, ${ours.output.trim()} and ${theirs.output.trim()} on the UARTs`;
      throw new Error(`${kernel.name}: checksums differ (ours and QEMU's): ${said}`);
    }
    const [mine, peer] = [samples.get("paravane") ?? [], samples.get("qemu") ?? []];
    const mips = (times: number[]) => Number(ours?.instructions) / median(times) / 1000;
    return { kernel, mips: mips(mine), qemuMips: mips(peer), ratio: pairedRatio(peer, mine) };
  }
}

async function run({ quick, progress }: Context): Promise<Report> {
  const qemu = await findQemu(progress);
  const rounds = quick ? 1 : 5;
  const contest = await Contest.prepare(qemu, rounds);
  const measured: Measured[] = [];
  for (const kernel of KERNELS) {
    progress(`${kernel.group}: ${kernel.name}`);
    measured.push(await contest.measure(kernel, quick));
  }
  const rows: Row[] = [];
  for (const group of new Set(KERNELS.map((kernel) => kernel.group))) {
    const members = measured.filter(({ kernel }) => kernel.group === group);
    for (const { kernel, ...figures } of members) rows.push({ group, kernel: kernel.name, ...figures });
    const mean = (key: "mips" | "qemuMips" | "ratio") => geometricMean(members.map((it) => it[key]));
    rows.push({
      group,
      kernel: "(geometric mean)",
      mips: mean("mips"),
      qemuMips: mean("qemuMips"),
      ratio: mean("ratio"),
    });
  }
  const integer = measured.filter(({ kernel }) => kernel.group === "integer");
  return {
    columns: [
      { key: "group", title: "group" },
      { key: "kernel", title: "kernel" },
      { key: "mips", title: "MIPS" },
      { key: "qemuMips", title: "QEMU's MIPS" },
      { key: "ratio", title: "ratio", digits: 3 },
    ],
    rows,
    marks: [
      {
        what: "integer kernels, share of QEMU's speed (geometric mean)",
        value: geometricMean(integer.map(({ ratio }) => ratio)),
        limit: MARK,
        atLeast: true,
        unit: "",
      },
    ],
    notes: [
      `the peer: ${qemu.version}, TCG, system mode, one CPU; its start-up is taken off`,
      `CPU time, user and system; median of ${rounds} round${rounds > 1 ? "s" : ""}, in turns; checksums are equal`,
    ],
  };
}

export const interpreter: Benchmark = {
  question: "How fast is the interpreter beside QEMU's translator in system mode?",
  run,
};
