// Builds a kernel for our machine out of Debian's linux-source package, with this machine's
// cross compiler: with what Debian's own kernel leaves out for guests of a hypervisor, or small.
// Takes many minutes the first time; after that it comes from the cache. Source and objects lie where a build
// that was interrupted leaves them to the next.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ParavaneError } from "../../../errors.ts";
import { currentBuild, defaultCacheDir } from "./cache.ts";
import { type Build, cachedBuild, type Workplace } from "./cached-build.ts";
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
const SOURCE_ARCHIVE = /^linux-source-.*\.tar\.\w+$/;
/** For people who wait. */
const ABOUT_FILES: Record<KernelConfigName, number> = { paravirt: 1300, small: 1000 };

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

/** What a build is known by in the cache: where it lies, and a hash of how it is made. */
function placeOf({ config = "paravirt", release = "trixie", cacheDir = defaultCacheDir() }: KernelOptions) {
  const recipe = createHash("sha256")
    .update(JSON.stringify([RECIPE_VERSION, configFragment(config)]))
    .digest("hex")
    .slice(0, 16);
  return { config, release, recipe, folder: join(cacheDir, "debian", `${release}-kernel-${config}`) };
}

/**
 * A kernel from the cache or, the first time, built with this machine's compiler. A build that was interrupted goes on
 * with what it had compiled.
 * @throws ParavaneError or DebianGuestError if this machine cannot build it; the message says what to do.
 */
export async function buildKernel(options: KernelOptions = {}): Promise<BuiltKernel> {
  const { config, release, recipe, folder } = placeOf(options);
  const plan = {
    name: `the ${config} kernel`,
    folder,
    release,
    recipe,
    space: SPACE_NEEDED,
    make: (workplace: Workplace) => make(config, recipe, workplace),
  };
  const { refresh = false, progress = () => undefined } = options;
  return describe(await cachedBuild(plan, { refresh, progress }));
}

/** The kernel if it is in the cache already: nothing is built, downloaded or waited for. */
export function cachedKernel(
  options: Pick<KernelOptions, "config" | "release" | "cacheDir"> = {},
): BuiltKernel | undefined {
  const { folder, recipe } = placeOf(options);
  const cached = currentBuild(folder, recipe);
  return cached && describe(cached);
}

function describe({ folder, record }: Build): BuiltKernel {
  return {
    kernel: join(folder, "Image"),
    config: join(folder, "config"),
    version: record.kernelVersion,
    source: Object.entries(record.packages).map(([name, version]) => `${name} ${version}`)[0] ?? "",
  };
}

async function make(config: KernelConfigName, recipe: string, workplace: Workplace): Promise<string> {
  const { out, kept, progress } = workplace;
  await checkTools();
  const wanted = await sourcePackage(workplace);
  const title = `${wanted.name} ${wanted.version}`;
  const source = join(kept, "source");
  const objects = join(kept, "objects");
  // Written when the source is there whole; objects of an older recipe or source would be built on the wrong things.
  const contents = join(kept, "contents");
  const theseContents = JSON.stringify([recipe, title]);
  if (existsSync(contents) && readFileSync(contents, "utf8") === theseContents) {
    progress(`going on with ${title} where the last build ended`);
    workplace.packages.reuse(wanted);
  } else {
    rmSync(kept, { recursive: true, force: true });
    for (const path of [source, objects]) mkdirSync(path, { recursive: true });
    await unpack(wanted, source, workplace);
    writeFileSync(contents, theseContents);
  }

  const fragment = join(kept, "fragment");
  writeFileSync(fragment, configFragment(config));
  const build = (target: string, onLine?: (line: string) => void, env: Record<string, string> = {}) =>
    run(
      "make",
      ["-C", source, `O=${objects}`, "ARCH=riscv", `CROSS_COMPILE=${CROSS}`, `-j${availableParallelism()}`, target],
      onLine,
      // The same source and compiler give the same kernel.
      { KBUILD_BUILD_TIMESTAMP: "1970-01-01", KBUILD_BUILD_USER: "paravane", KBUILD_BUILD_HOST: "paravane", ...env },
    );
  progress(`configuring ${title}: ${config}`);
  await build("allnoconfig", undefined, { KCONFIG_ALLCONFIG: fragment });
  const settings = readFileSync(join(objects, ".config"), "utf8");
  const missing = missingOptions(config, settings);
  if (missing.length > 0) {
    throw new ParavaneError(`${title} does not take ${missing.join(", ")}: this is a bug in paravane`);
  }

  const about = `about ${ABOUT_FILES[config]} files`;
  let compiled = countObjects(objects);
  progress(`compiling ${about}, which takes many minutes${compiled > 0 ? `; ${compiled} are done` : ""}`);
  await build("Image", (line) => {
    if (/^ {2}CC /.test(line) && ++compiled % 50 === 0) progress(`compiled ${compiled} of ${about}`);
  });
  copyFileSync(join(objects, "arch/riscv/boot/Image"), join(out, "Image"));
  copyFileSync(join(objects, ".config"), join(out, "config"));
  return readFileSync(join(objects, "include/config/kernel.release"), "utf8").trim();
}

/** The newest linux-source package of the release. */
async function sourcePackage({ packages }: Workplace): Promise<{ name: string; version: string }> {
  const meta = (await packages.show([SOURCE_METAPACKAGE])).get(SOURCE_METAPACKAGE);
  const name = meta?.depends.find((it) => /^linux-source-\d/.test(it));
  const found = name && (await packages.show([name])).get(name);
  if (!found) throw new DebianGuestError("the archive has no linux-source: use a mirror that carries it");
  return found;
}

async function unpack({ name }: { name: string }, source: string, { packages, progress }: Workplace): Promise<void> {
  const folder = (await packages.fetch([name])).get(name)?.folder;
  const archives = folder ? readdirSync(join(folder, "usr/src")).filter((it) => SOURCE_ARCHIVE.test(it)) : [];
  if (!folder || archives.length === 0) throw new DebianGuestError(`Debian's package ${name} holds no source`);
  progress(`unpacking ${name}`);
  // Of the documentation the build wants its Makefile and Kconfig alone.
  const tar = ["-xf", join(folder, "usr/src", archives[0]), "-C", source, "--strip-components=1"];
  await run("tar", [...tar, "--exclude=*/Documentation/*/*"]);
}

/** Objects that a compiler made, as against those that the linker made of them. */
function countObjects(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((path) => /(^|\/)(?!built-in|vmlinux|\.)[^/]+\.o$/.test(path)).length;
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
