// How long does Debian take to a shell, beside QEMU on the same kernel and initrd?
import { buildDebianGuest } from "../src/platform/node/debian/build.ts";
import { bootToShell, end, ourCommand, qemuCommand } from "./measure/console-boot.ts";
import type { Benchmark, Context, Report } from "./measure/report.ts";
import { inTurns } from "./measure/rounds.ts";
import { median, pairedRatio } from "./measure/statistics.ts";
import { findQemu } from "./peer/qemu.ts";

/** The promise: at most so many times QEMU's. */
const MARK = 8;

async function run({ quick, progress }: Context): Promise<Report> {
  const qemu = await findQemu(progress);
  const guest = await buildDebianGuest({ progress });
  const machines = {
    qemu: qemuCommand(qemu, guest),
    paravirt: ourCommand("paravirt"),
    ...(!quick && { firmware: ourCommand("firmware") }),
  };
  const rounds = quick ? 1 : 3;
  const walls: Record<string, number[]> = { qemu: [], paravirt: [], firmware: [] };
  const cpus = await inTurns(
    Object.entries(machines).map(([name, command]) => ({
      name,
      async run() {
        progress(name);
        const boot = await bootToShell(command);
        await end(boot);
        walls[name].push(boot.wall);
        return boot.cpu;
      },
    })),
    rounds,
  );
  const cpuOf = (name: string) => cpus.get(name) ?? [];
  const ratios = (name: string) => ({
    wallRatio: pairedRatio(walls[name], walls.qemu),
    cpuRatio: pairedRatio(cpuOf(name), cpuOf("qemu")),
  });
  const row = (name: string, title: string) => ({
    machine: title,
    wall: median(walls[name]) / 1000,
    cpu: median(cpuOf(name)) / 1000,
    ...(name !== "qemu" && ratios(name)),
  });
  const mark = (name: string, title: string) => ({
    what: `${title}, times QEMU's CPU time`,
    value: ratios(name).cpuRatio,
    limit: MARK,
    atLeast: false,
    unit: "",
  });
  return {
    columns: [
      { key: "machine", title: "to a shell on the UART" },
      { key: "wall", title: "wall s", digits: 2 },
      { key: "cpu", title: "CPU s", digits: 2 },
      { key: "wallRatio", title: "x QEMU, wall", digits: 2 },
      { key: "cpuRatio", title: "x QEMU, CPU", digits: 2 },
    ],
    rows: [
      row("qemu", "QEMU, OpenSBI"),
      row("paravirt", "paravane, paravirtual"),
      ...(quick ? [] : [row("firmware", "paravane, OpenSBI in M-mode")]),
    ],
    marks: [mark("paravirt", "paravirtual boot"), ...(quick ? [] : [mark("firmware", "fully virtualized boot")])],
    notes: [
      `the peer: ${qemu.version}; kernel ${guest.version}, 512 MiB, one hart, kernel messages on the UART`,
      `from the start of the process, node and compilation included; median of ${rounds} round${rounds > 1 ? "s" : ""}, in turns`,
    ],
  };
}

export const boot: Benchmark = { question: "How long does Debian take to a shell, beside QEMU?", run };
