// Compiles kernels into the cache: for the bare machine, as static programs for Linux on
// RISC-V, and for the machine that this runs on. A program is kept as long as its sources,
// its flags and its iterations stay the same.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultCacheDir } from "../../src/platform/node/debian/cache.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** The same work everywhere, and so the same checksum. */
const COMMON = [
  ["-O2", "-std=gnu11", "-ffreestanding", "-fno-pic", "-fno-math-errno"],
  // Loops stay loops, and are not made calls of the memcpy and memset in support.c.
  ["-fno-tree-loop-distribute-patterns"],
  // rv64gc has no vectors.
  ["-fno-tree-vectorize"],
  ["-Wall", "-Wextra", "-Werror"],
].flat();
const RISCV = ["-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-msmall-data-limit=0", "-static"];

interface Toolchain {
  compiler: string;
  /** What to do where it is missing. */
  advice: string;
  flags: readonly string[];
  sources: readonly string[];
}

const TOOLCHAINS = {
  bare: {
    compiler: `${process.env.RISCV_PREFIX ?? "riscv64-unknown-elf-"}gcc`,
    advice: "install gcc-riscv64-unknown-elf, or set RISCV_PREFIX",
    flags: [...RISCV, "-nostdlib", "-Wl,--no-warn-rwx-segments", "-Wl,--build-id=none", "-T", "kernel.ld"],
    sources: ["start.S", "main-bare.c"],
  },
  linux: {
    compiler: `${process.env.RISCV_LINUX_PREFIX ?? "riscv64-linux-gnu-"}gcc`,
    advice: "install gcc-riscv64-linux-gnu, or set RISCV_LINUX_PREFIX",
    flags: RISCV,
    sources: ["main-hosted.c"],
  },
  native: {
    compiler: "gcc",
    advice: "install gcc",
    // Multiply and add are fused, as on RISC-V: x86-64 has it as an extension only.
    flags: ["-no-pie", ...(process.arch === "x64" ? ["-mfma"] : [])],
    sources: ["main-hosted.c"],
  },
} as const satisfies Record<string, Toolchain>;

/** What a program is for. */
export type Target = keyof typeof TOOLCHAINS;

export interface BuildOptions {
  /** Default: the bare machine. */
  target?: Target;
  /** Preprocessor words besides ITERATIONS. */
  defines?: readonly string[];
}

/** Path of the ELF program for a kernel. */
export function buildKernel(
  name: string,
  iterations: number,
  { target = "bare", defines = [] }: BuildOptions = {},
): string {
  const { compiler, advice, flags, sources } = TOOLCHAINS[target];
  const options = [...COMMON, ...flags, `-DITERATIONS=${iterations}`, ...defines.map((word) => `-D${word}`)];
  const inputs = [...sources, "support.c", `${name}.c`];
  const hash = createHash("sha256").update(JSON.stringify([compiler, options]));
  const shared = readdirSync(folder)
    .filter((file) => /\.(h|ld)$/.test(file))
    .sort();
  for (const file of [...shared, ...inputs]) hash.update(`${file}\0`).update(readFileSync(join(folder, file)));
  const place = join(defaultCacheDir(), "bench");
  const program = join(place, `${name}-${target}-${hash.digest("hex").slice(0, 16)}.elf`);
  if (existsSync(program)) return program;

  mkdirSync(place, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  try {
    execFileSync(compiler, [...options, "-o", unfinished, ...inputs], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
    });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    if (code === "ENOENT") throw new Error(`${compiler} is not installed: ${advice}`);
    throw new Error(`${compiler} failed on ${name}.c:\n${stderr}`, { cause: error });
  }
  renameSync(unfinished, program);
  return program;
}
