// Builds probe.elf. The result depends on the sources and the compiler alone, so it can be committed and compared.
//
//   node build.mjs          builds and replaces probe.elf, and records the compiler in compiler.txt
//   node build.mjs --check  builds to a temporary folder and compares with the committed probe.elf
//
// Another compiler may make other bytes of the same sources. Then --check says so, and asks only that the build
// succeeds, is position independent and about as large.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { absoluteRelocations, differences } from "./elf.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));
const committedPath = join(folder, "probe.elf");
const recordPath = join(folder, "compiler.txt");
const prefix = process.env.RISCV_PREFIX ?? "riscv64-unknown-elf-";
const MAX_BYTES = 64 * 1024;
const SIMILAR = 0.3;

const flags = [
  ["-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany", "-std=gnu11", "-O2"],
  ["-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-fno-common", "-fno-stack-protector"],
  ["-fno-strict-aliasing", "-fno-asynchronous-unwind-tables", "-fno-tree-loop-distribute-patterns"],
  // Both make tables of addresses, and those would be absolute.
  ["-fno-jump-tables", "-fno-tree-switch-conversion"],
  ["-ffunction-sections", "-fdata-sections", "-fno-ident", `-ffile-prefix-map=${folder}=`],
  ["-Wall", "-Wextra", "-Werror"],
  ["-Wl,--build-id=none", "-Wl,--gc-sections", "-Wl,-z,max-page-size=4096", "-Wl,--no-warn-rwx-segments"],
  ["-Wl,--emit-relocs", "-T", "probe.ld"],
].flat();

function run(tool, args) {
  const result = spawnSync(prefix + tool, args, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  if (result.error?.code === "ENOENT") {
    throw new Error(`${prefix}${tool} is not installed: install gcc-riscv64-unknown-elf, or set RISCV_PREFIX`);
  }
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${prefix}${tool} failed:\n${result.stderr}`);
  return result.stdout;
}

/** First lines of the two versions that decide about bytes, without the names that the tools were called by. */
function compilerVersion() {
  const version = (tool) =>
    run(tool, ["--version"])
      .split("\n", 1)[0]
      .replace(/^\S*-?gcc\S*\s+/, "GCC ");
  return `${version("gcc")}; ${version("ld")}`;
}

function build() {
  const temporary = mkdtempSync(join(tmpdir(), "probe-"));
  try {
    const output = join(temporary, "probe.elf");
    const sources = readdirSync(join(folder, "src"))
      .filter((name) => /\.[cS]$/.test(name))
      .sort()
      .map((name) => `src/${name}`);
    run("gcc", [...flags, "-o", output, ...sources]);
    const absolute = absoluteRelocations(readFileSync(output));
    if (absolute.length > 0) {
      throw new Error(
        `the image is not position independent:\n  ${absolute.join("\n  ")}\navoid static tables of pointers`,
      );
    }
    run("strip", ["--strip-all", output]);
    const bytes = readFileSync(output);
    if (bytes.length > MAX_BYTES) throw new Error(`probe.elf has ${bytes.length} bytes, more than ${MAX_BYTES}`);
    return bytes;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function check(bytes, compiler) {
  const committed = readFileSync(committedPath);
  const recorded = readFileSync(recordPath, "utf8").trim();
  if (bytes.equals(committed)) return `probe.elf is what the sources make: ${bytes.length} bytes, ${compiler}`;
  if (compiler === recorded) {
    const what = differences(bytes, committed).join("\n  ");
    throw new Error(
      `probe.elf is not what the sources make:\n  ${what}\nrun node ${relative(process.cwd(), join(folder, "build.mjs"))} and commit probe.elf`,
    );
  }
  const ratio = bytes.length / committed.length;
  const note = `other compiler: ${compiler}, recorded ${recorded}: bytes not compared`;
  if (Math.abs(ratio - 1) > SIMILAR) {
    throw new Error(
      `${note}, but the rebuilt file has ${bytes.length} bytes and the committed one ${committed.length}`,
    );
  }
  return `${note}; it builds, position independent, ${bytes.length} bytes for ${committed.length}`;
}

try {
  const [option, ...rest] = process.argv.slice(2);
  if (rest.length > 0 || (option !== undefined && option !== "--check")) {
    throw new Error(`unknown option ${rest[0] ?? option}: the only one is --check`);
  }
  const compiler = compilerVersion();
  const bytes = build();
  if (option === "--check") {
    console.log(check(bytes, compiler));
  } else {
    writeFileSync(committedPath, bytes);
    writeFileSync(recordPath, `${compiler}\n`);
    console.log(`probe.elf: ${bytes.length} bytes, ${compiler}`);
  }
} catch (error) {
  console.error(`probe: ${error.message}`);
  process.exitCode = 1;
}
