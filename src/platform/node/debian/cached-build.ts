// Takes a build from the cache or makes it there: by one process at a time, in a folder that
// goes away, and put in its place only when it is whole.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Apt } from "./apt.ts";
import { type BuildRecord, currentBuild, replaceFile, withLock } from "./cache.ts";
import { DebianGuestError, explainSystemError } from "./debian-error.ts";
import { PackageStore } from "./package-store.ts";

const MB = 1024 * 1024;
const KEPT = "kept";

/** Where files are made. */
export interface Workplace {
  packages: PackageStore;
  /** What lies here in the end is the build. */
  out: string;
  /** For anything in between. */
  scratch: string;
  /**
   * A folder that outlives a build that failed or was interrupted, for the next one to go on with; the first time
   * it does not exist. What it holds is the maker's to check. A build that succeeds takes it away.
   */
  kept: string;
  progress(line: string): void;
}

/** Something that is made of Debian's packages. */
export interface BuildPlan {
  /** For messages. */
  name: string;
  /** Holds the builds of this kind, see cache.ts. */
  folder: string;
  release: string;
  /** Stands for how it is made: what was made in another way is made anew. */
  recipe: string;
  /** MB that making it takes, downloads and unpacked packages included. */
  space: number;
  /** Makes the files; the kernel's version, if there is a kernel. */
  make(workplace: Workplace): Promise<string>;
}

export interface Build {
  folder: string;
  record: BuildRecord;
}

/** @throws DebianGuestError if this machine cannot make it; the message says what to do. */
export async function cachedBuild(
  plan: BuildPlan,
  { refresh, progress }: { refresh: boolean; progress(line: string): void },
): Promise<Build> {
  const { name, folder, recipe } = plan;
  const cached = refresh ? undefined : currentBuild(folder, recipe);
  if (cached) return cached;
  try {
    mkdirSync(folder, { recursive: true });
    return await withLock(
      join(folder, "lock"),
      () => progress(`another process is making ${name}: waiting for it`),
      async () => (refresh ? undefined : currentBuild(folder, recipe)) ?? (await build(plan, progress)),
    );
  } catch (error) {
    throw explainSystemError(error);
  }
}

async function build(plan: BuildPlan, progress: (line: string) => void): Promise<Build> {
  const { folder, release, recipe, space } = plan;
  // The lock is ours: what other builds left behind has no owner.
  for (const name of readdirSync(folder)) {
    if (name.startsWith("building-")) rmSync(join(folder, name), { recursive: true, force: true });
  }
  const { bavail, bsize } = statfsSync(folder);
  // What an interrupted build left takes its part of the space already.
  if (bavail * bsize < space * MB && !existsSync(join(folder, KEPT))) {
    const free = Math.floor((bavail * bsize) / MB);
    throw new DebianGuestError(`${folder} has ${free} MB free: free ${space} MB or set PARAVANE_CACHE`);
  }
  const scratch = mkdtempSync(join(folder, "building-"));
  try {
    const out = join(scratch, "out");
    mkdirSync(out);
    const apt = new Apt({ folder: join(scratch, "apt"), release, architecture: "riscv64", progress });
    await apt.update();
    const packages = new PackageStore(apt, scratch);
    const kept = join(folder, KEPT);
    const kernelVersion = await plan.make({ packages, out, scratch, kept, progress });
    const files = Object.fromEntries(readdirSync(out).map((name) => [name, statSync(join(out, name)).size]));
    const record: BuildRecord = { recipe, release, kernelVersion, packages: packages.versions, files };
    writeFileSync(join(out, "guest.json"), `${JSON.stringify(record, null, 2)}\n`);
    const installed = install(folder, out, record);
    rmSync(kept, { recursive: true, force: true });
    return { folder: installed, record };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Puts a finished build in its place, and takes away those that no running guest can still want. */
function install(folder: string, out: string, record: BuildRecord): string {
  const identity = JSON.stringify([record.recipe, record.packages]);
  const id = createHash("sha256").update(identity).digest("hex").slice(0, 16);
  const place = join(folder, id);
  replaceFile(join(folder, "current.json"), `${JSON.stringify({ recipe: record.recipe, id })}\n`);
  // The same packages again: what is there may be in use, so it goes only if it is damaged.
  if (!currentBuild(folder, record.recipe)) {
    rmSync(place, { recursive: true, force: true });
    renameSync(out, place);
  }
  const dayAgo = Date.now() - 24 * 60 * 60 * 1000;
  for (const name of readdirSync(folder)) {
    const old = join(folder, name);
    if (/^[0-9a-f]{16}$/.test(name) && name !== id && statSync(old).mtimeMs < dayAgo) {
      rmSync(old, { recursive: true, force: true });
    }
  }
  return place;
}
