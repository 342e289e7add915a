// Builds a kernel for our machine out of Debian's linux-source package, with this machine's
// cross compiler: with what Debian's own kernel leaves out for guests of a hypervisor, or small.
// Takes many minutes the first time; after that it comes from the cache.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ParavaneError } from "../../../errors.ts";
import { defaultCacheDir } from "./cache.ts";
import { cachedBuild, type Workplace } from "./cached-build.ts";
import { DebianGuestError } from "./debian-error.ts";
import { configFragment, type KernelConfigName, missingOptions } from "./kernel-config.ts";
import { runProgram } from "./run-program.ts";

/** Releases that a kernel's source can be of; sid's has drivers that trixie's has not. */
export type KernelRelease = "trixie" | "sid";

export interface BuiltKernel {
  /** A raw Linux Image. */
  kernel: string;
  /** The configuration that it was built with. */
  config: string;
  /** As `uname -r` says it. */
  version: string;
  /** Version of the package with the source. */
  source: string;
}

export interface KernelOptions {
  config?: KernelConfigName;
  release?: KernelRelease;
  cacheDir?: string;
  /** Build again although there is a build already. */
  refresh?: boolean;
  progress?(line: string): void;
}

/** Counts up whenever what is built changes in a way that the configuration does not say. */
const RECIPE_VERSION = 1;
const CROSS = "riscv64-linux-gnu-";
/** MB that source, objects and package take while a kernel is built. */
const SPACE_NEEDED = 3500;
const SOURCE_METAPACKAGE = "linux-source";

/** What a build runs, or compiles against, and the Debian packages that hold it. */
const TOOLS = [
  { name: `${CROSS}gcc`, package: "gcc-riscv64-linux-gnu" },
  { name: "gcc", package: "gcc" },
  { name: "make", package: "make" },
  { name: "flex", package: "flex" },
  { name: "bison", package: "bison" },
  { name: "bc", package: "bc" },
  { name: "xz", package: "xz-utils" },
  { name: "tar", package: "tar" },
  { name: "perl", package: "perl" },
];

async function isThere(program: string): Promise<boolean> {
  const { status } = await runProgram("sh", ["-c", 'command -v "$0"', program]);
  return status === 0;
}

/** @throws ParavaneError that says what to install, unless everything is there. */
async function checkTools(): Promise<void> {
  const missing = [];
  for (const tool of TOOLS) if (!(await isThere(tool.name))) missing.push(tool);
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name).join(", ");
  const packages = [...new Set(missing.map((tool) => tool.package))].join(" ");
  throw new ParavaneError(`building a kernel needs ${names}: run \`apt-get install ${packages}\``);
}

/**
 * A kernel from the cache or, the first time, built with this machine's compiler.
 * @throws ParavaneError or DebianGuestError if this machine cannot build it; the message says what to do.
 */
export async function buildKernel(options: KernelOptions = {}): Promise<BuiltKernel> {
  const { config = "paravirt", release = "trixie", cacheDir = defaultCacheDir(), refresh = false } = options;
  const recipe = createHash("sha256")
    .update(JSON.stringify([RECIPE_VERSION, configFragment(config)]))
    .digest("hex")
    .slice(0, 16);
  const plan = {
    name: `the ${config} kernel`,
    folder: join(cacheDir, "debian", `${release}-kernel-${config}`),
    release,
    recipe,
    space: SPACE_NEEDED,
    make: (workplace: Workplace) => make(config, workplace),
  };
  const { folder, record } = await cachedBuild(plan, { refresh, progress: options.progress ?? (() => undefined) });
  return {
    kernel: join(folder, "Image"),
    config: join(folder, "config"),
    version: record.kernelVersion,
    source: Object.entries(record.packages).map(([name, version]) => `${name} ${version}`)[0] ?? "",
  };
}

async function make(name: KernelConfigName, { packages, out, scratch, progress }: Workplace): Promise<string> {
  await checkTools();
  const meta = (await packages.show([SOURCE_METAPACKAGE])).get(SOURCE_METAPACKAGE);
  const wanted = meta?.depends.find((it) => /^linux-source-\d/.test(it));
  const folder = wanted && (await packages.fetch([wanted])).get(wanted)?.folder;
  if (!folder) throw new DebianGuestError("the archive has no linux-source: use a mirror that carries it");
  const archives = readdirSync(join(folder, "usr/src")).filter((it) => /^linux-source-.*\.tar\.\w+$/.test(it));
  if (archives.length === 0) throw new DebianGuestError(`Debian's package ${wanted} holds no source`);

  progress(`unpacking ${wanted}`);
  const source = join(scratch, "source");
  const objects = join(scratch, "objects");
  for (const path of [source, objects]) mkdirSync(path);
  // Of the documentation the build wants its Makefile and Kconfig alone.
  const tar = ["-xf", join(folder, "usr/src", archives[0]), "-C", source, "--strip-components=1"];
  await run("tar", [...tar, "--exclude=*/Documentation/*/*"]);

  const fragment = join(scratch, "fragment");
  writeFileSync(fragment, configFragment(name));
  const build = (target: string, onLine?: (line: string) => void, env: Record<string, string> = {}) =>
    run(
      "make",
      ["-C", source, `O=${objects}`, "ARCH=riscv", `CROSS_COMPILE=${CROSS}`, `-j${availableParallelism()}`, target],
      onLine,
      // The same source and compiler give the same kernel.
      { KBUILD_BUILD_TIMESTAMP: "1970-01-01", KBUILD_BUILD_USER: "paravane", KBUILD_BUILD_HOST: "paravane", ...env },
    );
  progress(`configuring ${wanted}: ${name}`);
  await build("allnoconfig", undefined, { KCONFIG_ALLCONFIG: fragment });
  const config = readFileSync(join(objects, ".config"), "utf8");
  const missing = missingOptions(name, config);
  if (missing.length > 0)
    throw new ParavaneError(`${wanted} does not take ${missing.join(", ")}: this is a bug in paravane`);

  progress("compiling, which takes many minutes");
  let compiled = 0;
  await build("Image", (line) => {
    if (/^ {2}CC /.test(line) && ++compiled % 100 === 0) progress(`compiled ${compiled} files`);
  });
  copyFileSync(join(objects, "arch/riscv/boot/Image"), join(out, "Image"));
  copyFileSync(join(objects, ".config"), join(out, "config"));
  const release = join(objects, "include/config/kernel.release");
  return existsSync(release) ? readFileSync(release, "utf8").trim() : "";
}

async function run(
  program: string,
  args: string[],
  onLine?: (line: string) => void,
  env?: Record<string, string>,
): Promise<void> {
  const { status, stderr } = await runProgram(program, args, { onLine, env });
  if (status === 0) return;
  const said = stderr.trim().split("\n").slice(-12).join("\n");
  throw new ParavaneError(`${program} ended with status ${status} while a kernel was built:\n${said}`);
}
