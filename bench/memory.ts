// What does a guest cost while it does nothing: memory beyond its own, and processor time?
import { setTimeout as sleep } from "node:timers/promises";
import { buildDebianGuest } from "../src/platform/node/debian/build.ts";
import { emptyMachine } from "./measure/bare-metal.ts";
import { type Boot, bootToShell, end, ourCommand, qemuCommand } from "./measure/console-boot.ts";
import { cpuOf, residentOf } from "./measure/cpu-time.ts";
import type { Benchmark, Context, Report } from "./measure/report.ts";
import { findQemu } from "./peer/qemu.ts";

const MIB = 1024 * 1024;
/** The promises: engine state at most this large, and an idle guest at most this busy. */
const OVERHEAD_MIB = 24;
const IDLE_PERCENT = 2;
/** After the prompt the kernel still has deferred work. */
const SETTLE_MS = 3000;

/** Share of one processor, in percent, that each of the idle machines takes. */
async function idleShares(boots: readonly Boot[], seconds: number): Promise<number[]> {
  const before = boots.map(({ child }) => cpuOf(child));
  const start = performance.now();
  await sleep(seconds * 1000);
  const passed = performance.now() - start;
  return boots.map(({ child }, i) => ((cpuOf(child) - before[i]) / passed) * 100);
}

async function run({ quick, progress }: Context): Promise<Report> {
  const engine = await emptyMachine(() => {});
  const overhead = (engine.bytes.length - engine.ramBytes) / MIB;

  const qemu = await findQemu(progress);
  const guest = await buildDebianGuest({ progress });
  const boots: Boot[] = [];
  try {
    progress("booting paravane");
    boots.push(await bootToShell(ourCommand("paravirt")));
    progress("booting QEMU");
    boots.push(await bootToShell(qemuCommand(qemu, guest)));
    await sleep(SETTLE_MS);
    const seconds = quick ? 3 : 20;
    progress(`both idle for ${seconds} s`);
    const [mine, peer] = await idleShares(boots, seconds);
    const [myMemory, peerMemory] = boots.map(({ child }) => residentOf(child) / MIB);
    return {
      columns: [
        { key: "what", title: "" },
        { key: "paravane", title: "paravane", digits: 2 },
        { key: "qemu", title: "QEMU", digits: 2 },
      ],
      rows: [
        { what: "linear memory less guest RAM, MiB", paravane: overhead },
        { what: "resident at the shell, 512 MiB guest, MiB", paravane: myMemory, qemu: peerMemory },
        { what: `processor while idle at a shell for ${seconds} s, %`, paravane: mine, qemu: peer },
      ],
      marks: [
        { what: "engine overhead", value: overhead, limit: OVERHEAD_MIB, atLeast: false, unit: " MiB" },
        { what: "idle guest, share of a processor", value: mine, limit: IDLE_PERCENT, atLeast: false, unit: " %" },
      ],
      notes: [
        `the peer: ${qemu.version}; resident memory holds the guest's pages in use, and Node's own`,
        "the kernel counts processor time in 10 ms",
      ],
    };
  } finally {
    await Promise.all(boots.map(end));
  }
}

export const memory: Benchmark = { question: "What does a guest cost while it does nothing?", run };
