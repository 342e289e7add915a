// Compiles kernels with the bare-metal cross compiler into the cache. A program is kept as
// long as its sources, its flags and its iterations stay the same.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultCacheDir } from "../../src/platform/node/debian/cache.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const compiler = `${process.env.RISCV_PREFIX ?? "riscv64-unknown-elf-"}gcc`;

const FLAGS = [
  ["-O2", "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-std=gnu11"],
  ["-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-msmall-data-limit=0", "-fno-math-errno"],
  // Loops stay loops, and are not made calls of the memcpy and memset in main.c.
  ["-fno-tree-loop-distribute-patterns"],
  ["-Wall", "-Wextra", "-Werror", "-Wl,--no-warn-rwx-segments", "-Wl,--build-id=none", "-T", "kernel.ld"],
].flat();

/** Path of the ELF program for a kernel. @param defines preprocessor words besides ITERATIONS. */
export function buildKernel(name: string, iterations: number, defines: readonly string[] = []): string {
  const options = [...FLAGS, `-DITERATIONS=${iterations}`, ...defines.map((word) => `-D${word}`)];
  const hash = createHash("sha256").update(JSON.stringify(options));
  const shared = readdirSync(folder)
    .filter((file) => /\.(h|S|ld)$/.test(file))
    .sort();
  for (const file of [...shared, "main.c", `${name}.c`])
    hash.update(`${file}\0`).update(readFileSync(join(folder, file)));
  const place = join(defaultCacheDir(), "bench");
  const program = join(place, `${name}-${hash.digest("hex").slice(0, 16)}.elf`);
  if (existsSync(program)) return program;

  mkdirSync(place, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  try {
    execFileSync(compiler, [...options, "-o", unfinished, "start.S", "main.c", `${name}.c`], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
    });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    if (code === "ENOENT") {
      throw new Error(`${compiler} is not installed: install gcc-riscv64-unknown-elf, or set RISCV_PREFIX`);
    }
    throw new Error(`${compiler} failed on ${name}.c:\n${stderr}`, { cause: error });
  }
  renameSync(unfinished, program);
  return program;
}
