// Programs as Debian 13 has them, whatever this machine has installed: their packages are
// unpacked into the cache and started with their own loader and libraries. Only the libraries
// that the dynamic loader will ask for (DT_NEEDED) are fetched.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { dynamicNeeds } from "../../src/image/elf-metadata.ts";
import { Apt } from "../../src/platform/node/debian/apt.ts";
import { defaultCacheDir, replaceFile, withLock } from "../../src/platform/node/debian/cache.ts";
import { unpackDeb } from "../../src/platform/node/debian/deb.ts";
import { DebianGuestError } from "../../src/platform/node/debian/debian-error.ts";
import { likelyPackages } from "../../src/platform/node/debian/tools-disk.ts";

const RELEASE = "trixie";

export interface Unpacked {
  /** For people, and of the folder in the cache. */
  name: string;
  folder: string;
  package: string;
  /** Its path in the package. */
  program: string;
}

/** Debian's names for the machine that this runs on: architecture, and folder of libraries. */
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, [architecture: string, triplet: string]>> = {
  x64: ["amd64", "x86_64-linux-gnu"],
  arm64: ["arm64", "aarch64-linux-gnu"],
};

/** The command line that starts the unpacked program; made the first time. @throws DebianGuestError if it cannot be had. */
export async function unpackedProgram(what: Unpacked, progress: (line: string) => void): Promise<string[]> {
  const { name, program } = what;
  const [architecture, triplet] = ARCHITECTURES[process.arch] ?? [];
  if (process.platform !== "linux" || architecture === undefined || triplet === undefined) {
    throw new DebianGuestError(`Debian's ${name} does not run on ${process.platform} ${process.arch}`);
  }
  const folder = join(defaultCacheDir(), what.folder, `${RELEASE}-${architecture}`);
  const root = join(folder, "root");
  mkdirSync(folder, { recursive: true });
  await withLock(
    join(folder, "lock"),
    () => progress(`another process is unpacking ${name}: waiting for it`),
    async () => {
      if (!existsSync(root)) await unpack(what, folder, root, architecture, triplet, progress);
    },
  );
  const libraries = join(root, "usr/lib", triplet);
  const loader = readdirSync(libraries).find((name) => /^ld-linux-.*\.so\.\d$/.test(name));
  if (loader === undefined) throw new DebianGuestError(`${libraries} has no dynamic loader: remove ${folder}`);
  return [join(libraries, loader), "--library-path", libraries, join(root, program)];
}

async function unpack(
  what: Unpacked,
  folder: string,
  root: string,
  architecture: string,
  triplet: string,
  progress: (line: string) => void,
): Promise<void> {
  for (const name of readdirSync(folder)) {
    if (name.startsWith("unpacking-")) rmSync(join(folder, name), { recursive: true, force: true });
  }
  const scratch = mkdtempSync(join(folder, "unpacking-"));
  try {
    const apt = new Apt({ folder: join(scratch, "apt"), release: RELEASE, architecture, progress });
    await apt.update();
    const closure = new Closure(what, apt, join(scratch, "root"), join("usr/lib", triplet));
    await closure.fetch([what.package]);
    await closure.complete();
    replaceFile(join(scratch, "root/packages.json"), `${JSON.stringify(closure.versions, null, 2)}\n`);
    renameSync(join(scratch, "root"), root);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Packages unpacked over each other, as if installed. */
class Closure {
  readonly versions: Record<string, string> = {};
  readonly #what: Unpacked;
  readonly #apt: Apt;
  readonly #root: string;
  readonly #libraries: string;
  /** What the packages so far depend on. */
  readonly #offered = new Set<string>();

  constructor(what: Unpacked, apt: Apt, root: string, libraries: string) {
    this.#what = what;
    this.#apt = apt;
    this.#root = root;
    this.#libraries = libraries;
  }

  async fetch(names: readonly string[]): Promise<void> {
    const found = [...(await this.#apt.show(names)).values()];
    const files = await this.#apt.download(found);
    for (const { name, version, depends } of found) {
      await unpackDeb(files.get(name) as string, this.#root);
      this.versions[name] = version;
      for (const dependency of depends) this.#offered.add(dependency);
    }
    const missing = names.filter((name) => this.versions[name] === undefined);
    if (missing.length > 0) throw new DebianGuestError(`Debian's archive has no ${missing.join(", ")} in ${RELEASE}`);
  }

  /** Fetches libraries until each that is needed is there. */
  async complete(): Promise<void> {
    for (;;) {
      const missing = this.#missing();
      if (missing.size === 0) return;
      const fresh = [...this.#offered].filter((name) => this.versions[name] === undefined);
      const wanted = new Set([...missing].flatMap(likelyPackages));
      const likely = fresh.filter((name) => wanted.has(name));
      // A library in a package of another name: it is one of the packages that are depended on.
      const next = likely.length > 0 ? likely : fresh.filter((name) => /^(lib|zlib)/.test(name));
      if (next.length === 0) {
        const { name } = this.#what;
        throw new DebianGuestError(
          `none of Debian's packages that ${name} depends on holds ${[...missing].join(", ")}`,
        );
      }
      await this.fetch(next);
    }
  }

  #missing(): Set<string> {
    const missing = new Set<string>();
    const seen = new Set<string>();
    const queue = [this.#what.program];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      for (const soname of dynamicNeeds(readFileSync(join(this.#root, path))).needed) {
        if (seen.has(soname)) continue;
        seen.add(soname);
        const library = join(this.#libraries, soname);
        if (existsSync(join(this.#root, library))) queue.push(library);
        else missing.add(soname);
      }
    }
    return missing;
  }
}
