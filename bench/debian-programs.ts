// How fast are Debian's own programs beside QEMU, on the same kernel, initrd and disk?
import { buildDebianGuest } from "../src/platform/node/debian/build.ts";
import { buildRootDisk } from "../src/platform/node/debian/root-disk.ts";
import { FULL, type Program, programs, QUICK } from "./debian/catalogue.ts";
import { DebianMachine } from "./debian/machines.ts";
import type { Benchmark, Context, Report } from "./measure/report.ts";
import { inTurns } from "./measure/rounds.ts";
import { geometricMean, median, pairedRatio } from "./measure/statistics.ts";
import { findQemu } from "./peer/qemu.ts";

/** The promises: so many times QEMU's speed on the whole, and no program below this. */
const MARK = 1.3;
const LOWEST = 0.8;

interface Measured {
  program: Program;
  /** In the program's unit, or seconds. */
  ours: number;
  theirs: number;
  ratio: number;
}

/** @throws Error if the machines do not say the same. */
function checkSame(program: Program, what: string, said: ReadonlySet<string>): void {
  if (said.size > 1) throw new Error(`${program.name}: ${what} differ: ${[...said].map((it) => it.trim()).join(", ")}`);
}

async function measure(
  program: Program,
  machines: Record<"paravane" | "qemu", DebianMachine>,
  rounds: number,
): Promise<Measured> {
  const { paravane, qemu } = machines;
  checkSame(program, "inputs", new Set([await paravane.prepare(program), await qemu.prepare(program)]));
  const results = new Set<string>();
  const samples = await inTurns(
    Object.entries(machines).map(([name, machine]) => ({
      name,
      async run() {
        const { milliseconds, result } = await machine.run(program);
        // What it does a second is the other way round how long one takes.
        if (program.rate) return 1000 / program.rate.read(result);
        results.add(result);
        return milliseconds;
      },
    })),
    rounds,
  );
  checkSame(program, "results", results);
  const [mine, peer] = [samples.get("paravane") ?? [], samples.get("qemu") ?? []];
  const value = (times: number[]) => (program.rate ? 1000 / median(times) : median(times) / 1000);
  return { program, ours: value(mine), theirs: value(peer), ratio: pairedRatio(peer, mine) };
}

async function run({ quick, progress }: Context): Promise<Report> {
  const qemu = await findQemu(progress);
  const guest = await buildDebianGuest({ progress });
  const { image } = await buildRootDisk(guest, { progress });
  const rounds = quick ? 1 : 3;
  const measured: Measured[] = [];
  const machines: DebianMachine[] = [];
  try {
    progress("booting paravane");
    const paravane = await DebianMachine.ours(image);
    machines.push(paravane);
    progress("booting QEMU");
    const peer = await DebianMachine.qemu(qemu, guest, image);
    machines.push(peer);
    for (const program of programs(quick ? QUICK : FULL)) {
      progress(program.name);
      measured.push(await measure(program, { paravane, qemu: peer }, rounds));
    }
  } finally {
    for (const machine of machines) machine.close();
  }
  const ratios = measured.map(({ ratio }) => ratio);
  const mean = geometricMean(ratios);
  const lowest = Math.min(...ratios);
  return {
    columns: [
      { key: "program", title: "program" },
      { key: "ours", title: "paravane", digits: 2 },
      { key: "theirs", title: "QEMU", digits: 2 },
      { key: "unit", title: "unit" },
      { key: "ratio", title: "ratio", digits: 2 },
    ],
    rows: [
      ...measured.map(({ program, ...figures }) => ({
        program: program.name,
        unit: program.rate?.unit ?? "s",
        ...figures,
      })),
      { program: "geometric mean", ratio: mean },
    ],
    marks: [
      { what: "Debian's programs, times QEMU's speed", value: mean, limit: MARK, atLeast: true, unit: "" },
      { what: "the slowest of them", value: lowest, limit: LOWEST, atLeast: true, unit: "" },
    ],
    notes: [
      `the peer: ${qemu.version}; kernel ${guest.version}, 1 GiB, one hart, the root disk on virtio-blk`,
      "timed in the guest; ratio: times QEMU's speed; results are the same to the byte on both",
      `median of ${rounds} round${rounds > 1 ? "s" : ""}, in turns, both machines up all the time`,
    ],
  };
}

export const debianPrograms: Benchmark = { question: "How fast are Debian's own programs beside QEMU?", run };
