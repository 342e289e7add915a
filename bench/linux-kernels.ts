// How fast are programs under Linux, beside QEMU? The kernels of the bare machine once more,
// as static programs in user mode: with paging, a timer that interrupts, and a kernel.
//
// Both machines stay at their shells for the whole benchmark and run each program in turns;
// the one whose turn it is not costs next to nothing (memory.ts).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeErofs } from "../src/image/erofs.ts";
import { file } from "../src/image/file-tree.ts";
import { buildDebianGuest } from "../src/platform/node/debian/build.ts";
import { buildKernel } from "./kernels/build.ts";
import { KERNELS, type Kernel } from "./kernels/catalogue.ts";
import { readHostedResult } from "./kernels/result.ts";
import { type Boot, bootToShell, end, ourCommand, qemuCommand, typeCommand } from "./measure/console-boot.ts";
import { cpuOf } from "./measure/cpu-time.ts";
import { type KernelFigures, kernelRows } from "./measure/kernel-contest.ts";
import type { Benchmark, Context, Report } from "./measure/report.ts";
import { inTurns } from "./measure/rounds.ts";
import { median, pairedRatio } from "./measure/statistics.ts";
import { findQemu } from "./peer/qemu.ts";

const MOUNT = "modprobe -qa crc32c_generic erofs; mount -t erofs -o ro /dev/vda /mnt";

function programsDisk(share: number): Uint8Array {
  const programs = KERNELS.map(({ name, iterations }) => {
    const program = buildKernel(name, Math.ceil(iterations * share), { target: "linux" });
    return file(name, readFileSync(program), 0o755);
  });
  return writeErofs(programs, "kernels");
}

/** A machine at its shell, and the host's CPU time for each run of the kernel at hand. */
interface Shell {
  boot: Boot;
  cpus: number[];
}

async function runOnce({ boot, cpus }: Shell, { name }: Kernel, checksums: Set<string>): Promise<number> {
  const before = cpuOf(boot.child);
  const { checksum, cpu } = readHostedResult(await typeCommand(boot, `/mnt/${name}`));
  cpus.push(cpuOf(boot.child) - before);
  checksums.add(checksum);
  return cpu;
}

async function measure(kernel: Kernel, boots: Record<"ours" | "qemu", Boot>, rounds: number): Promise<KernelFigures> {
  const [ours, qemu]: Shell[] = [boots.ours, boots.qemu].map((boot) => ({ boot, cpus: [] }));
  const checksums = new Set<string>();
  const samples = await inTurns(
    [
      { name: "ours", run: () => runOnce(ours, kernel, checksums) },
      { name: "qemu", run: () => runOnce(qemu, kernel, checksums) },
    ],
    rounds,
  );
  if (checksums.size !== 1) throw new Error(`${kernel.name}: checksums differ: ${[...checksums].join(", ")}`);
  const [mine, theirs] = [samples.get("ours") ?? [], samples.get("qemu") ?? []];
  return {
    kernel,
    figures: {
      seconds: median(mine) / 1000,
      qemuSeconds: median(theirs) / 1000,
      ratio: pairedRatio(theirs, mine),
      cpuRatio: pairedRatio(qemu.cpus, ours.cpus),
    },
  };
}

async function run({ quick, progress }: Context): Promise<Report> {
  const qemu = await findQemu(progress);
  const guest = await buildDebianGuest({ progress });
  const rounds = quick ? 1 : 5;
  const folder = mkdtempSync(join(tmpdir(), "paravane-bench-"));
  const boots: Boot[] = [];
  try {
    const disk = join(folder, "kernels.erofs");
    writeFileSync(disk, programsDisk(quick ? 1 / 4 : 1));
    for (const command of [ourCommand("paravirt", disk), qemuCommand(qemu, guest, disk)]) {
      progress(boots.length === 0 ? "booting paravane" : "booting QEMU");
      const boot = await bootToShell(command);
      boots.push(boot);
      await typeCommand(boot, MOUNT);
    }
    const measured: KernelFigures[] = [];
    for (const kernel of KERNELS) {
      progress(`${kernel.group}: ${kernel.name}`);
      measured.push(await measure(kernel, { ours: boots[0], qemu: boots[1] }, rounds));
    }
    return {
      columns: [
        { key: "group", title: "group" },
        { key: "kernel", title: "kernel" },
        { key: "seconds", title: "s", digits: 2 },
        { key: "qemuSeconds", title: "QEMU's s", digits: 2 },
        { key: "ratio", title: "x QEMU", digits: 2 },
        { key: "cpuRatio", title: "x QEMU, CPU", digits: 2 },
      ],
      rows: kernelRows(measured, ["seconds", "qemuSeconds", "ratio", "cpuRatio"]),
      marks: [],
      notes: [
        `the peer: ${qemu.version}; kernel ${guest.version}, 512 MiB, one hart, programs from a virtio disk`,
        "s, x QEMU: the program's CPU time by the guest's clock, which runs on while the host does something else",
        "x QEMU, CPU: the host's CPU time from the command to the prompt, in 10 ms; in turns, checksums are equal",
      ],
    };
  } finally {
    await Promise.all(boots.map(end));
    rmSync(folder, { recursive: true, force: true });
  }
}

export const linuxKernels: Benchmark = { question: "How fast are programs under Linux, beside QEMU?", run };
