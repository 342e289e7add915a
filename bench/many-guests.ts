// What do eight Debian guests at a shell cost, in one process: processor time while they do nothing, memory beyond their own?
// And does the ninth, which does not fit, hear so with the figure?
import { setTimeout as sleep } from "node:timers/promises";
import {
  createHypervisor,
  HostError,
  type HostedGuest,
  type HostedGuestOptions,
  type Hypervisor,
} from "../src/index.ts";
import { ownCpu } from "./measure/cpu-time.ts";
import type { Benchmark, Context, Report } from "./measure/report.ts";

const GUESTS = 8;
const MIB = 1024 * 1024;
const MEMORY = 256 * MIB;
const CODE_CACHE = 16 * MIB;
/** The promises, of each guest. */
const IDLE_PERCENT = 3;
const OVERHEAD_MIB = 24;
const PROMPT = "~ # ";
const PATIENCE_MS = 900_000;
/** After the prompt the kernel still has deferred work. */
const SETTLE_MS = 5000;

const OPTIONS: HostedGuestOptions = { guest: "debian", memory: MEMORY, codeCache: CODE_CACHE };

/** What the ninth is told. */
function refusal(create: () => unknown): string | undefined {
  try {
    create();
    return undefined;
  } catch (error) {
    if (error instanceof HostError) return error.message;
    throw error;
  }
}

async function bootToShell(
  hypervisor: Hypervisor<HostedGuestOptions>,
  guest: HostedGuest<HostedGuestOptions>,
): Promise<void> {
  const atShell = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`guest ${guest.id} came to no prompt`)), PATIENCE_MS);
    const forget = hypervisor.onEvent((event) => {
      if (event.guest !== guest.id || event.type !== "console") return;
      if (!new TextDecoder().decode(guest.consoleTail).includes(PROMPT)) return;
      clearTimeout(late);
      forget();
      resolve();
    });
  });
  await guest.boot();
  await atShell;
}

async function run({ quick, progress }: Context): Promise<Report> {
  // Room for eight, and not for a ninth.
  const need = MEMORY + CODE_CACHE + OVERHEAD_MIB * MIB;
  const hypervisor = createHypervisor({ memory: GUESTS * need + need / 2 });
  const resident = () => process.memoryUsage.rss() / MIB;
  try {
    const before = resident();
    progress(`booting ${GUESTS} guests`);
    const guests = Array.from({ length: GUESTS }, (_, n) => hypervisor.create(`debian-${n}`, OPTIONS));
    await Promise.all(guests.map((guest) => bootToShell(hypervisor, guest)));
    const ninth = refusal(() => hypervisor.create("debian-8", OPTIONS));

    await sleep(SETTLE_MS);
    const seconds = quick ? 5 : 30;
    progress(`all idle for ${seconds} s`);
    const [cpu, start] = [ownCpu(), performance.now()];
    await sleep(seconds * 1000);
    const idle = ((ownCpu() - cpu) / (performance.now() - start) / GUESTS) * 100;

    const beyond = (resident() - before) / GUESTS;
    let used = 0;
    let overhead = 0;
    for (const guest of guests) {
      used += (await guest.memoryUsed()) / MIB / GUESTS;
      overhead = Math.max(overhead, (await guest.statistics()).overheadBytes / MIB);
    }
    return {
      columns: [
        { key: "what", title: `of ${GUESTS} Debian guests at a shell, each` },
        { key: "value", title: "", digits: 2 },
      ],
      rows: [
        { what: `processor while idle for ${seconds} s, % of a core`, value: idle },
        { what: "linear memory less guest RAM, MiB", value: overhead },
        { what: `code cache, at most, MiB`, value: CODE_CACHE / MIB },
        { what: "resident in this process, MiB", value: beyond },
        { what: "of that pages of guest RAM in use, MiB", value: used },
        {
          what: "and the rest: pages that are zeros again, engine state, translated code, V8 (code, heap, stacks), MiB",
          value: beyond - used,
        },
        { what: `the ninth: ${ninth ?? "was taken"}` },
      ],
      marks: [
        { what: "idle guest, share of a core", value: idle, limit: IDLE_PERCENT, atLeast: false, unit: " %" },
        { what: "memory over guest RAM", value: overhead, limit: OVERHEAD_MIB, atLeast: false, unit: " MiB" },
        {
          what: "the ninth guest is refused with the figure",
          value: /needs \d+ MiB, and \d+ MiB of \d+ MiB are left/.test(ninth ?? "") ? 1 : 0,
          limit: 1,
          atLeast: true,
          unit: "",
        },
      ],
      notes: ["processor time is that of the whole process: workers, the managing thread, V8's own threads"],
    };
  } finally {
    await hypervisor.close();
  }
}

export const manyGuests: Benchmark = { question: "What do eight Debian guests at a shell cost?", run };
