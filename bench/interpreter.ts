// How fast is the interpreter beside QEMU's translator in system mode?

import { KERNELS } from "./kernels/catalogue.ts";
import { compete, type KernelFigures, kernelRows, meanOf, paravane, qemuTranslator } from "./measure/kernel-contest.ts";
import type { Benchmark, Context, Report } from "./measure/report.ts";
import { pairedRatio } from "./measure/statistics.ts";
import { findQemu } from "./peer/qemu.ts";

/** The promise for this tier: a quarter of QEMU's speed on integer kernels. */
const MARK = 0.25;
/** The kernels' iterations are made for translators. */
const SHARE = 1 / 4;

async function run({ quick, progress }: Context): Promise<Report> {
  const qemu = await findQemu(progress);
  const rounds = quick ? 1 : 5;
  const [ours, theirs] = [paravane("interpreter"), await qemuTranslator(qemu, rounds)];
  const measured: KernelFigures[] = [];
  for (const kernel of KERNELS) {
    progress(`${kernel.group}: ${kernel.name}`);
    const share = quick ? SHARE / 4 : SHARE;
    const { times, mips } = await compete(kernel, { contestants: [ours, theirs], rounds, share });
    const ratio = pairedRatio(times(theirs), times(ours));
    measured.push({ kernel, figures: { mips: mips(ours), qemuMips: mips(theirs), ratio } });
  }
  return {
    columns: [
      { key: "group", title: "group" },
      { key: "kernel", title: "kernel" },
      { key: "mips", title: "MIPS" },
      { key: "qemuMips", title: "QEMU's MIPS" },
      { key: "ratio", title: "ratio", digits: 3 },
    ],
    rows: kernelRows(measured, ["mips", "qemuMips", "ratio"]),
    marks: [
      {
        what: "integer kernels, share of QEMU's speed (geometric mean)",
        value: meanOf(measured, "ratio", "integer"),
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
