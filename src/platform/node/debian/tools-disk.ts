// The disk with programs for measurements: fio, stress-ng, iperf3, cyclictest and their
// shared objects, as a read-only EROFS image. Only what the dynamic loader asks for
// (DT_NEEDED) goes in, and only the packages are downloaded that hold it: libraries
// that programs may open at run time (OpenGL drivers and the compiler behind them) stay out.
import { type Dirent, existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { TOOLS_LABEL } from "../../../image/agent-script.ts";
import { type DynamicNeeds, dynamicNeeds, isElf } from "../../../image/elf-metadata.ts";
import { writeErofs } from "../../../image/erofs.ts";
import { type FileEntry, file } from "../../../image/file-tree.ts";
import { DebianGuestError } from "./debian-error.ts";

export const TOOL_PACKAGES = [
  "fio",
  "stress-ng",
  "iperf3",
  "rt-tests",
  "ethtool",
  "iproute2",
  "pciutils",
  "nvme-cli",
  "smartmontools",
  "qemu-guest-agent",
];
const LIBRARY_FOLDERS = ["usr/lib/riscv64-linux-gnu", "usr/lib"];

/** Gives the packages among `names` that the archive has, unpacked: name -> folder and dependencies. */
export type FetchPackages = (names: readonly string[]) => Promise<Map<string, { folder: string; depends: string[] }>>;

/** A file of an unpacked package. */
interface PackagedFile {
  package: string;
  path: string;
  data: Uint8Array;
  needs: DynamicNeeds;
}

/** The package that usually holds a shared object: libfoo.so.1 is in libfoo1, libfoo2.so.1 in libfoo2-1. */
export function likelyPackages(soname: string): string[] {
  const match = /^(.+)\.so(?:\.(.+))?$/.exec(soname.toLowerCase().replaceAll("_", "-"));
  if (!match) return [];
  const [, base, version = ""] = match;
  const plain = version.replace(/t64$/, "");
  const name = `${base}${/\d$/.test(base) && plain ? "-" : ""}${plain}`;
  return [name, `${name}t64`, `${name}-0`];
}

function executables(folder: string): string[] {
  return ["usr/bin", "usr/sbin"]
    .filter((path) => existsSync(join(folder, path)))
    .flatMap((path) =>
      readdirSync(join(folder, path), { withFileTypes: true }).map((item): [string, Dirent] => [path, item]),
    )
    .filter(([, item]) => item.isFile())
    .map(([path, item]) => join(path, item.name))
    .filter((path) => isElf(readFileSync(join(folder, path))));
}

class LibraryClosure {
  readonly files = new Map<string, PackagedFile>();
  readonly #fetch: FetchPackages;
  readonly #packages = new Map<string, { folder: string; depends: string[] }>();

  constructor(fetch: FetchPackages) {
    this.#fetch = fetch;
  }

  async add(names: readonly string[]): Promise<void> {
    for (const [name, found] of await this.#fetch(names)) this.#packages.set(name, found);
  }

  /** Takes every ELF program of a package. */
  addPrograms(name: string): void {
    const folder = this.#packages.get(name)?.folder;
    if (!folder) throw new DebianGuestError(`the archive has no package ${name} for riscv64`);
    for (const path of executables(folder)) this.#take(name, path);
  }

  /** Adds shared objects, and packages that hold them, until nothing is missing. */
  async complete(): Promise<void> {
    for (;;) {
      const missing = this.#resolve();
      if (missing.size === 0) return;
      const wanted = new Set([...missing].flatMap(([soname, from]) => this.#candidates(soname, from)));
      await this.add([...wanted]);
    }
  }

  #take(name: string, path: string): void {
    const folder = this.#packages.get(name)?.folder ?? "";
    const data = readFileSync(join(folder, path));
    this.files.set(path, { package: name, path, data, needs: dynamicNeeds(data) });
  }

  /** Looks for what the files need among the packages; returns what is in none, with who needs it. */
  #resolve(): Map<string, string> {
    const missing = new Map<string, string>();
    // A Map's iteration includes what is added on the way.
    for (const { needs, package: from } of this.files.values()) {
      const folders = [...needs.runPath.map((path) => path.replace(/^\/+/, "")), ...LIBRARY_FOLDERS];
      const wanted = needs.needed.map((soname) => folders.map((folder) => join(folder, soname)));
      if (needs.interpreter) wanted.push([join("usr", needs.interpreter.replace(/^\/+(usr\/)?/, ""))]);
      for (const places of wanted) {
        if (places.some((path) => this.files.has(path) || this.#find(path))) continue;
        missing.set(basename(places[0]), from);
      }
    }
    return missing;
  }

  /** Takes the shared object that is installed as `path`, if one of the packages has it. */
  #find(path: string): boolean {
    for (const [name, { folder }] of this.#packages) {
      if (!existsSync(join(folder, path))) continue;
      const real = relative(realpathSync(folder), realpathSync(join(folder, path)));
      if (real.startsWith("..")) continue;
      this.#take(name, real);
      const found = this.files.get(real);
      // One copy, under the name by which it is asked for.
      this.files.delete(real);
      if (found) this.files.set(path, { ...found, path });
      return true;
    }
    return false;
  }

  /** Packages to look for `soname` in: by its name, else whatever the package that needs it depends on. */
  #candidates(soname: string, from: string): string[] {
    const depends = this.#packages.get(from)?.depends ?? [];
    const fresh = depends.filter((name) => !this.#packages.has(name));
    const likely = fresh.filter((name) => likelyPackages(soname).includes(name));
    const candidates = likely.length > 0 ? likely : fresh.filter((name) => /^(lib|zlib)/.test(name));
    if (candidates.length === 0) {
      throw new DebianGuestError(`${from} needs ${soname}, which none of the packages it depends on holds`);
    }
    return candidates;
  }
}

/** The image, and what went into it by path. */
export async function buildToolsDisk(fetch: FetchPackages): Promise<{ image: Uint8Array; paths: string[] }> {
  const closure = new LibraryClosure(fetch);
  await closure.add(TOOL_PACKAGES);
  for (const name of TOOL_PACKAGES) closure.addPrograms(name);
  await closure.complete();
  const entries: FileEntry[] = [...closure.files.values()]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, data }) => file(path, data, 0o755));
  return { image: writeErofs(entries, TOOLS_LABEL), paths: entries.map(({ path }) => path) };
}
