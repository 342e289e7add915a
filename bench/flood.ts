// How soon does the API answer while a guest floods its hypervisor with calls, refused calls, console output and interrupts?
// A real `paravane serve`, asked over its socket.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Benchmark, Context, Report, Row } from "./measure/report.ts";

const CLI = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
const PROBE = fileURLToPath(new URL("./probe/probe.elf", import.meta.url));
/** The promise. */
const MOST_MS = 50;
/** Between a request's answer and the next request. */
const PAUSE_MS = 10;
/** Each beat: so many null calls, unknown calls, lines by DBCN and timer interrupts. */
const FLOOD = "load=flood period=0 burst=1000 count=10000000";

const REQUESTS = [
  { name: "what the guest is doing", path: "/guests/flood" },
  { name: "figures of all guests", path: "/metrics" },
  { name: "its exits by cause", path: "/guests/flood/counters" },
  { name: "its console", path: "/guests/flood/console" },
] as const;

interface Answer {
  status: number;
  text: string;
  milliseconds: number;
}

class Server {
  readonly #child: ChildProcess;
  readonly #socket: string;

  private constructor(child: ChildProcess, socket: string) {
    this.#child = child;
    this.#socket = socket;
  }

  static async start(socket: string): Promise<Server> {
    const child = spawn(process.execPath, [CLI, "serve", "--socket", socket], { stdio: ["ignore", "pipe", "pipe"] });
    // Its log, an object a line, is read as fast as it comes.
    let log = "";
    child.stderr.on("data", (bytes) => (log = (log + bytes).slice(-2000)));
    await new Promise<void>((resolve, reject) => {
      child.stdout.once("data", () => resolve());
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`paravane serve ended: ${log}`)));
    });
    return new Server(child, socket);
  }

  call(method: string, path: string, body?: unknown): Promise<Answer> {
    const start = performance.now();
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.#socket, method, path }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part) => parts.push(part));
        response.on("end", () => {
          const milliseconds = performance.now() - start;
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString(), milliseconds });
        });
      });
      sent.on("error", reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async put(path: string, body: unknown): Promise<void> {
    const { status, text } = await this.call("PUT", path, body);
    if (status !== 204) throw new Error(`PUT ${path}: ${status} ${text}`);
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.once("exit", () => resolve());
      this.#child.kill("SIGTERM");
    });
  }
}

/** Milliseconds that each request took, by its path, while `seconds` pass. */
async function ask(server: Server, seconds: number): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>(REQUESTS.map(({ path }) => [path, []]));
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    for (const { path } of REQUESTS) {
      const { status, text, milliseconds } = await server.call("GET", path);
      if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`);
      times.get(path)?.push(milliseconds);
      await sleep(PAUSE_MS);
    }
  }
  return times;
}

const percentile = (values: readonly number[], share: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];

async function setState(server: Server, state: "Paused" | "Resumed"): Promise<void> {
  const { status, text } = await server.call("PATCH", "/guests/flood/vm", { state });
  if (status !== 204) throw new Error(`PATCH /guests/flood/vm: ${status} ${text}`);
}

async function exitsOf(server: Server): Promise<{ exits: Map<string, number>; refused: number }> {
  const exits = JSON.parse((await server.call("GET", "/guests/flood/counters")).text) as {
    kind: string;
    name: string;
    count: number;
  }[];
  const sums = new Map<string, number>();
  for (const { kind, name, count } of exits) {
    const what = kind === "refused" ? "refused calls" : name;
    sums.set(what, (sums.get(what) ?? 0) + count);
  }
  const metrics = (await server.call("GET", "/metrics")).text;
  return { exits: sums, refused: Number(/^paravane_guest_hypercalls_refused_total\{.*\} (\d+)$/m.exec(metrics)?.[1]) };
}

async function run({ quick, progress }: Context): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "paravane-flood-"));
  const server = await Server.start(join(folder, "api"));
  try {
    await server.put("/guests/flood/machine-config", { vcpu_count: 1, mem_size_mib: 16 });
    await server.put("/guests/flood/boot-source", { kernel_image_path: PROBE, boot_args: FLOOD });
    await server.put("/guests/flood/actions", { action_type: "InstanceStart" });
    // Node compiles what answers, too.
    await ask(server, 3);
    const seconds = quick ? 10 : 60;
    await setState(server, "Paused");
    progress(`asking for ${seconds / 2} s while the guest stands still`);
    const still = await ask(server, seconds / 2);
    await setState(server, "Resumed");
    progress(`asking for ${seconds} s while it floods`);
    const before = await exitsOf(server);
    const times = await ask(server, seconds);
    const after = await exitsOf(server);
    const each = (name: string) => ((after.exits.get(name) ?? 0) - (before.exits.get(name) ?? 0)) / seconds;
    const rows = REQUESTS.map(({ name, path }): Row => {
      const all = times.get(path) ?? [];
      const quiet = still.get(path) ?? [];
      return {
        what: name,
        count: all.length,
        median: percentile(all, 0.5),
        p99: percentile(all, 0.99),
        most: Math.max(...all),
        still: percentile(quiet, 0.5),
        stillMost: Math.max(...quiet),
      };
    });
    const worst = Math.max(...[...times.values()].flat());
    return {
      columns: [
        { key: "what", title: "the API is asked for" },
        { key: "count", title: "times" },
        { key: "median", title: "median ms", digits: 2 },
        { key: "p99", title: "p99 ms", digits: 2 },
        { key: "most", title: "longest ms", digits: 2 },
        { key: "still", title: "standing still: median", digits: 2 },
        { key: "stillMost", title: "longest", digits: 2 },
      ],
      rows,
      marks: [{ what: "longest answer", value: worst, limit: MOST_MS, atLeast: false, unit: " ms" }],
      notes: [
        `the guest in each second: ${Math.round(each("paravane"))} null calls, ${Math.round((after.refused - before.refused) / seconds)} refused calls, ` +
          `${Math.round(each("dbcn"))} lines of 64 bytes; between any two rounds of these it takes a timer interrupt`,
        "standing still: the same requests while the guest is paused, for what else this machine has to do",
      ],
    };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

export const flood: Benchmark = { question: "How soon does the API answer while a guest floods its hypervisor?", run };
