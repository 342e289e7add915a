// What does a floating-point operation cost, by Wasm's own operation and in integers?
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { Bench } from "tinybench";
import type { Benchmark, Context, Report } from "./measure/report.ts";

const OPERATIONS = ["add", "mul", "div", "sqrt", "fma"] as const;
const WIDTHS = [64, 32] as const;
/** Operations in a call: the call itself costs nothing beside them. */
const CALLS = 20_000;
const OPERANDS = 0x10_0000;
const PAIRS = 256;
const NX = 1;
/** Rounding modes: to nearest may take Wasm's operation, towards zero never. */
const RNE = 0;
const RTZ = 1;

type Loop = (n: number, roundingMode: number) => bigint;

interface Loops {
  exports: Record<string, Loop> & { setFlags(flags: number): void };
  memory: WebAssembly.Memory;
}

/** Compiled with the engine's own options. */
async function compile(): Promise<Loops> {
  const folder = mkdtempSync(join(tmpdir(), "paravane-bench-"));
  try {
    const out = join(folder, "loops.wasm");
    const baseDir = fileURLToPath(new URL("..", import.meta.url));
    const arguments_ = [
      "bench/fp/loops.ts",
      "-o",
      out,
      "--baseDir",
      baseDir,
      "--config",
      join(baseDir, "asconfig.json"),
    ];
    const { error, stderr } = await asc.main(arguments_);
    if (error) throw new Error(`bench/fp/loops.ts does not compile: ${stderr}`, { cause: error });
    const memory = new WebAssembly.Memory({ initial: 352 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(out)), { env: { memory } });
    return { exports: exports as unknown as Loops["exports"], memory };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Positive numbers between 2^-8 and 2^8 with all their digits: what ordinary programs add and multiply. */
function fillOperands(memory: WebAssembly.Memory, width: 64 | 32): void {
  const view = new DataView(memory.buffer, OPERANDS);
  let state = 1;
  for (let i = 0; i < PAIRS * 2; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const value = 2 ** (16 * (state / 2 ** 32) - 8);
    if (width === 64) view.setFloat64(i * 8, value, true);
    else view.setFloat32(i * 8, value, true);
  }
}

async function run({ quick, progress }: Context): Promise<Report> {
  progress("compiling");
  const { exports, memory } = await compile();
  const bench = new Bench({ time: quick ? 50 : 500, warmupTime: quick ? 50 : 250, throws: true });
  for (const width of WIDTHS) {
    for (const operation of ["nothing", ...OPERATIONS]) {
      const loop = exports[`${operation}${width}`];
      for (const [path, roundingMode] of [
        ["float", RNE],
        ["integer", RTZ],
      ] as const) {
        const beforeAll = () => {
          fillOperands(memory, width);
          exports.setFlags(NX);
        };
        bench.add(`${operation}${width} ${path}`, () => void loop(CALLS, roundingMode), { beforeAll });
      }
    }
  }
  progress("measuring");
  await bench.run();

  /** Nanoseconds an operation takes beyond the loop around it. */
  const cost = (operation: string, width: number, path: string): number => {
    const nanoseconds = (name: string) => {
      const result = bench.getTask(`${name}${width} ${path}`)?.result;
      if (result?.state !== "completed") throw new Error(`${name}${width} did not complete`);
      return (result.latency.p50 * 1e6) / CALLS;
    };
    return Math.max(0, nanoseconds(operation) - nanoseconds("nothing"));
  };
  return {
    columns: [
      { key: "operation", title: "operation" },
      ...WIDTHS.flatMap((width) => [
        { key: `float${width}`, title: `f${width} float ns`, digits: 2 },
        { key: `integer${width}`, title: `f${width} integer ns`, digits: 2 },
      ]),
    ],
    rows: OPERATIONS.map((operation) => ({
      operation,
      ...Object.fromEntries(
        WIDTHS.flatMap((width) =>
          ["float", "integer"].map((path) => [`${path}${width}`, cost(operation, width, path)]),
        ),
      ),
    })),
    marks: [],
    notes: [
      "float: to nearest with NX accrued, which lets Wasm's own operation be used; integer: towards zero, which never does",
      "wall time, median of tinybench's samples, without the loop; ordinary operands",
    ],
  };
}

export const fp: Benchmark = { question: "What does a floating-point operation cost?", run };
