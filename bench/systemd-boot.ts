// How long does Debian with systemd take to its login prompt, beside QEMU on the same kernel,
// initrd and disk?
import { buildDebianGuest } from "../src/platform/node/debian/build.ts";
import { buildRootDisk } from "../src/platform/node/debian/root-disk.ts";
import { ROOT_HOSTNAME } from "../src/platform/node/debian/root-tree.ts";
import { bootToPrompt, end, ourRun, qemuRun } from "./measure/console-boot.ts";
import type { Benchmark, Context, Report } from "./measure/report.ts";
import { inTurns } from "./measure/rounds.ts";
import { median, pairedRatio } from "./measure/statistics.ts";
import { findQemu, qemuConsole, qemuDisk } from "./peer/qemu.ts";

/** The promise: at most so many times QEMU's. */
const MARK = 1;
/** One login prompt, on the UART, and none on the virtio console that both machines have too. */
const APPEND = "console=ttyS0 panic=1 systemd.mask=serial-getty@hvc0.service";
const PROMPT = `${ROOT_HOSTNAME} login: `;

async function run({ quick, progress }: Context): Promise<Report> {
  const qemu = await findQemu(progress);
  const guest = await buildDebianGuest({ progress });
  const { image, initrd } = await buildRootDisk(guest, { progress });
  const source = ["--kernel", guest.kernel, "--initrd", initrd, "--disk", `${image},overlay`];
  const machines = {
    qemu: [...qemuRun(qemu, { ...guest, initrd }, APPEND), ...qemuDisk(image, "snapshot"), ...qemuConsole()],
    paravane: ourRun(source, APPEND),
  };
  const rounds = quick ? 1 : 3;
  const cpus: Record<string, number[]> = { qemu: [], paravane: [] };
  const walls = await inTurns(
    Object.entries(machines).map(([name, command]) => ({
      name,
      async run() {
        progress(name);
        const boot = await bootToPrompt(command, PROMPT);
        await end(boot);
        cpus[name].push(boot.cpu);
        return boot.wall;
      },
    })),
    rounds,
  );
  const wallsOf = (name: string) => walls.get(name) ?? [];
  const wallRatio = pairedRatio(wallsOf("paravane"), wallsOf("qemu"));
  const row = (name: string, machine: string) => ({
    machine,
    wall: median(wallsOf(name)) / 1000,
    cpu: median(cpus[name]) / 1000,
  });
  return {
    columns: [
      { key: "machine", title: "to systemd's login prompt" },
      { key: "wall", title: "wall s", digits: 2 },
      { key: "cpu", title: "CPU s", digits: 2 },
      { key: "wallRatio", title: "x QEMU, wall", digits: 2 },
      { key: "cpuRatio", title: "x QEMU, CPU", digits: 2 },
    ],
    rows: [
      row("qemu", "QEMU, OpenSBI"),
      { ...row("paravane", "paravane, paravirtual"), wallRatio, cpuRatio: pairedRatio(cpus.paravane, cpus.qemu) },
    ],
    marks: [{ what: "systemd boot, times QEMU's wall time", value: wallRatio, limit: MARK, atLeast: false, unit: "" }],
    notes: [
      `the peer: ${qemu.version}; kernel ${guest.version}, 512 MiB, one hart, a virtio disk, messages on the UART`,
      `from the start of the process, node and compilation included; median of ${rounds} round${rounds > 1 ? "s" : ""}, in turns`,
    ],
  };
}

export const systemdBoot: Benchmark = { question: "How long does Debian with systemd take to its login prompt?", run };
