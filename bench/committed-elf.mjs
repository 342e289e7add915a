// Builds of programs for the guest that are committed, so that nobody needs a cross compiler to use them, and
// compared: the result depends on the sources and the compiler alone.
//
// Another compiler may make other bytes of the same sources. Then --check says so, and asks only that the build
// succeeds and is about as large.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { differences } from "./probe/elf.mjs";

const prefix = process.env.RISCV_PREFIX ?? "riscv64-unknown-elf-";
const SIMILAR = 0.3;

function run(folder, tool, args) {
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
function compilerVersion(folder) {
  const version = (tool) =>
    run(folder, tool, ["--version"])
      .split("\n", 1)[0]
      .replace(/^\S*-?gcc\S*\s+/, "GCC ");
  return `${version("gcc")}; ${version("ld")}`;
}

function build({ folder, name, flags, maxBytes, inspect }) {
  const temporary = mkdtempSync(join(tmpdir(), `${name}-`));
  try {
    const output = join(temporary, `${name}.elf`);
    const sources = readdirSync(join(folder, "src"))
      .filter((file) => /\.[cS]$/.test(file))
      .sort()
      .map((file) => `src/${file}`);
    run(folder, "gcc", [...flags, `-ffile-prefix-map=${folder}=`, "-o", output, ...sources]);
    inspect?.(readFileSync(output));
    run(folder, "strip", ["--strip-all", output]);
    const bytes = readFileSync(output);
    if (bytes.length > maxBytes) throw new Error(`${name}.elf has ${bytes.length} bytes, more than ${maxBytes}`);
    return bytes;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function check({ folder, name }, bytes, compiler) {
  const committed = readFileSync(join(folder, `${name}.elf`));
  const recorded = readFileSync(join(folder, "compiler.txt"), "utf8").trim();
  if (bytes.equals(committed)) return `${name}.elf is what the sources make: ${bytes.length} bytes, ${compiler}`;
  if (compiler === recorded) {
    const what = differences(bytes, committed).join("\n  ");
    throw new Error(
      `${name}.elf is not what the sources make:\n  ${what}\nrun node ${relative(process.cwd(), join(folder, "build.mjs"))} and commit ${name}.elf`,
    );
  }
  const ratio = bytes.length / committed.length;
  const note = `other compiler: ${compiler}, recorded ${recorded}: bytes not compared`;
  if (Math.abs(ratio - 1) > SIMILAR) {
    throw new Error(
      `${note}, but the rebuilt file has ${bytes.length} bytes and the committed one ${committed.length}`,
    );
  }
  return `${note}; it builds, ${bytes.length} bytes for ${committed.length}`;
}

/**
 * Does what the command line asks for: builds `name`.elf in `folder` out of its src/, or with --check compares.
 * @param program.inspect is given the linked file before it is stripped, and throws if that will not do.
 */
export function buildCommitted(program) {
  const { folder, name } = program;
  try {
    const [option, ...rest] = process.argv.slice(2);
    if (rest.length > 0 || (option !== undefined && option !== "--check")) {
      throw new Error(`unknown option ${rest[0] ?? option}: the only one is --check`);
    }
    const compiler = compilerVersion(folder);
    const bytes = build(program);
    if (option === "--check") {
      console.log(check(program, bytes, compiler));
    } else {
      writeFileSync(join(folder, `${name}.elf`), bytes);
      writeFileSync(join(folder, "compiler.txt"), `${compiler}\n`);
      console.log(`${name}.elf: ${bytes.length} bytes, ${compiler}`);
    }
  } catch (error) {
    console.error(`${name}: ${error.message}`);
    process.exitCode = 1;
  }
}
