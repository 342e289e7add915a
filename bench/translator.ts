// How fast is translated code beside QEMU's translator, the interpreter, and this machine
// itself?
import { KERNELS, type Kernel } from "./kernels/catalogue.ts";
import {
  type Contestant,
  compete,
  type KernelFigures,
  kernelRows,
  meanOf,
  native,
  paravane,
  qemuTranslator,
} from "./measure/kernel-contest.ts";
import type { Benchmark, Context, Mark, Report } from "./measure/report.ts";
import { pairedRatio } from "./measure/statistics.ts";
import { findQemu } from "./peer/qemu.ts";

/** The promises for this tier. */
const QEMU_MARK = 2.0;
const SLOWEST_MARK = 1.0;
const INTERPRETER_MARK = 6;
const NATIVE_MARK = 2.5;

const ours = paravane("auto");
const interpreted = paravane("interpreter");

async function measure(kernel: Kernel, peer: Contestant, quick: boolean): Promise<KernelFigures> {
  const share = quick ? 1 / 4 : 1;
  const fast = await compete(kernel, { contestants: [ours, peer, native], rounds: quick ? 1 : 5, share });
  // The interpreter takes several times as long, and a ratio this large needs no more rounds.
  const slow = await compete(kernel, { contestants: [ours, interpreted], rounds: quick ? 1 : 2, share });
  return {
    kernel,
    figures: {
      mips: fast.mips(ours),
      qemuMips: fast.mips(peer),
      qemu: pairedRatio(fast.times(peer), fast.times(ours)),
      interpreter: pairedRatio(slow.times(interpreted), slow.times(ours)),
      native: pairedRatio(fast.times(ours), fast.times(native)),
    },
  };
}

function marks(measured: readonly KernelFigures[]): Mark[] {
  const slowest = measured.reduce((a, b) => (b.figures.qemu < a.figures.qemu ? b : a));
  const atLeast = { atLeast: true, unit: "" };
  return [
    { what: "times QEMU's speed (geometric mean)", value: meanOf(measured, "qemu"), limit: QEMU_MARK, ...atLeast },
    {
      what: `times QEMU's speed, slowest kernel (${slowest.kernel.name})`,
      value: slowest.figures.qemu,
      limit: SLOWEST_MARK,
      ...atLeast,
    },
    {
      what: "times the interpreter's speed (geometric mean)",
      value: meanOf(measured, "interpreter"),
      limit: INTERPRETER_MARK,
      ...atLeast,
    },
    {
      what: "integer kernels, times the native time (geometric mean)",
      value: meanOf(measured, "native", "integer"),
      limit: NATIVE_MARK,
      atLeast: false,
      unit: "",
    },
  ];
}

async function run({ quick, progress }: Context): Promise<Report> {
  const qemu = await findQemu(progress);
  const peer = await qemuTranslator(qemu, 5);
  const measured: KernelFigures[] = [];
  for (const kernel of KERNELS) {
    progress(`${kernel.group}: ${kernel.name}`);
    measured.push(await measure(kernel, peer, quick));
  }
  return {
    columns: [
      { key: "group", title: "group" },
      { key: "kernel", title: "kernel" },
      { key: "mips", title: "MIPS" },
      { key: "qemuMips", title: "QEMU's MIPS" },
      { key: "qemu", title: "x QEMU", digits: 2 },
      { key: "interpreter", title: "x interpreter", digits: 1 },
      { key: "native", title: "x native time", digits: 2 },
    ],
    rows: kernelRows(measured, ["mips", "qemuMips", "qemu", "interpreter", "native"]),
    marks: marks(measured),
    notes: [
      `the peer: ${qemu.version}, TCG, system mode, one CPU; its start-up is taken off`,
      "translating is part of the time, ours and QEMU's",
      "native: the same source and flags, without vectors; CPU time, in turns; checksums are equal",
    ],
  };
}

export const translator: Benchmark = { question: "How fast is translated code beside QEMU's translator?", run };
