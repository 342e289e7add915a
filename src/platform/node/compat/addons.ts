// Gives an initrd what it lacks for paravirtual devices: modules that its kernel's own package ships, with all
// that they need, and an /init that serves commands. What is added goes into an archive behind the others, which
// Linux unpacks over them; nothing of the initrd is changed.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { EntrySource } from "../../../compat/file-source.ts";
import { packingOf, readInitramfs } from "../../../compat/initramfs.ts";
import { moduleName } from "../../../compat/kernel-modules.ts";
import { needsOf } from "../../../compat/needs.ts";
import { OptionError } from "../../../errors.ts";
import { concatenateArchives, writeCpio } from "../../../image/cpio.ts";
import { moduleInfo } from "../../../image/elf-metadata.ts";
import { directory, type FileEntry, file } from "../../../image/file-tree.ts";
import { checkInitrd } from "../../../image/initrd.ts";
import { writeKmodIndex } from "../../../image/kmod-index.ts";
import { agentFiles } from "../../../image/overlay.ts";
import { CATALOGUE, type CatalogueRow } from "../../../machine/catalogue.ts";
import { withKernelPackage } from "../debian/kernel-package.ts";
import { unpack } from "./unpack.ts";

const MOST_MODULE = 256 * 1024 * 1024;
/** Shorter names of the catalogue's rows. */
const SHORT: Record<string, string> = {
  ...{ "9p": "virtio-9p", vsock: "virtio-vsock", pmem: "virtio-pmem", balloon: "virtio-balloon" },
  ...{ rng: "virtio-rng", console: "virtio-console" },
};
const AGENT = "agent";

const ROWS: readonly CatalogueRow[] = CATALOGUE;
/** Rows that a module drives. */
const ADDABLE = ROWS.filter(({ transport }) => ["pci", "virtio-mmio", "virtio-pci"].includes(transport));

/** What can be added, for help texts. */
export function addonNames(): string[] {
  return [...ADDABLE.map(({ id }) => id), ...Object.keys(SHORT), AGENT];
}

/** Modules that "virtio-net" and the like stand for. @throws OptionError for a name that is not known. */
function modulesOf(name: string): string[] {
  const row = ADDABLE.find(({ id }) => id === (SHORT[name] ?? name));
  if (row === undefined) {
    throw new OptionError(`"${name}" is nothing that can be added: write ${addonNames().join(", ")}`);
  }
  return needsOf(row).ways.flatMap(({ needs }) => needs.map(({ module }) => module));
}

interface Module {
  path: string;
  /** All that it needs, each before what it needs itself. */
  needs: string[];
}

const releaseFolder = async (source: EntrySource): Promise<{ folder: string; release: string } | undefined> => {
  for (const folder of ["usr/lib/modules", "lib/modules"]) {
    const [release, ...others] = await source.list(folder);
    if (release === undefined) continue;
    if (others.length > 0) {
      throw new OptionError(
        `the initrd has modules of several kernels (${[release, ...others].join(", ")}): name the one that boots with --release`,
      );
    }
    return { folder: `${folder}/${release}`, release };
  }
  return undefined;
};

/** A kernel's modules as its package has them: below kernel/, and the list of what is built in. */
class PackagedModules {
  readonly #folder: string;
  readonly #paths: Map<string, string>;
  readonly builtin: ReadonlySet<string>;

  constructor(folder: string) {
    this.#folder = folder;
    const all = existsSync(join(folder, "kernel"))
      ? readdirSync(join(folder, "kernel"), { recursive: true, encoding: "utf8" })
      : [];
    this.#paths = new Map(
      all.filter((path) => /\.ko(\.\w+)?$/.test(path)).map((path) => [moduleName(path), join("kernel", path)]),
    );
    const list = join(folder, "modules.builtin");
    this.builtin = new Set(existsSync(list) ? readFileSync(list, "utf8").split("\n").map(moduleName) : []);
    if (this.#paths.size === 0) {
      throw new OptionError(`${folder} holds no modules: give a kernel's folder below lib/modules`);
    }
  }

  /** A module as it is to be stored: unpacked, which spares the guest the work, and else as it is, signed. */
  async read(name: string): Promise<{ path: string; data: Uint8Array } | undefined> {
    const path = this.#paths.get(name);
    if (path === undefined) return undefined;
    const packed = readFileSync(join(this.#folder, path));
    const packing = packingOf(packed);
    const data = packing === undefined ? packed : (await unpack(packing, packed, MOST_MODULE)).content;
    return { path: path.replace(/\.ko\.\w+$/, ".ko"), data };
  }
}

const decode = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes ?? new Uint8Array());

function parseDep(text: string): Map<string, Module> {
  const modules = new Map<string, Module>();
  for (const line of text.split("\n")) {
    const [path, needs] = line.split(":", 2);
    if (needs !== undefined)
      modules.set(moduleName(path), { path, needs: needs.split(" ").filter(Boolean).map(moduleName) });
  }
  return modules;
}

/** What `direct` needs in turn, each before what it needs itself. */
function allNeeds(direct: readonly string[], modules: ReadonlyMap<string, Module>): string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const next of modules.get(name)?.needs ?? []) visit(next);
    order.unshift(name);
  };
  for (const name of direct) visit(name);
  return order;
}

/** Directories above `paths` that the initrd has not. */
async function newFolders(source: EntrySource, paths: readonly string[]): Promise<FileEntry[]> {
  const folders = new Map<string, FileEntry>();
  for (const path of paths) {
    for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
      const folder = path.slice(0, at);
      if (!folders.has(folder) && !(await source.has(folder))) folders.set(folder, directory(folder));
    }
  }
  return [...folders.values()];
}

export interface AddonsOptions {
  /** What to add: rows of the catalogue, short names of them, and "agent". */
  add: readonly string[];
  /** Folder of the kernel's modules: a package's lib/modules/VERSION. */
  modules?: string;
  /** Where `modules` is left out: calls `use` with such a folder for a release. Default: Debian's package of it. */
  withModules?(release: string, use: (folder: string) => Promise<void>): Promise<void>;
  /** Hears of what takes long. */
  onNotice?(line: string): void;
}

export interface Addons {
  initrd: Uint8Array;
  /** Release of the kernel, and modules that were added. */
  release: string | undefined;
  added: string[];
}

/**
 * `initrd` with what `add` names behind it.
 * @throws OptionError if it cannot be added, ImageError if the initrd cannot be read.
 */
export async function addToInitrd(initrd: Uint8Array, options: AddonsOptions): Promise<Addons> {
  const source = await readInitramfs(initrd, unpack, "the initrd");
  const names = options.add.filter((name) => name !== AGENT);
  const wanted = new Set(names.flatMap(modulesOf));
  const entries: FileEntry[] = [];
  let found: Awaited<ReturnType<typeof releaseFolder>>;
  const added: string[] = [];
  if (wanted.size > 0) {
    found = await releaseFolder(source);
    if (found === undefined) {
      throw new OptionError(
        "the initrd has no folder of modules, which would say what kernel it is for: add to one that has",
      );
    }
    entries.push(...(await moduleEntries(source, found, [...wanted], options, added)));
  }
  if (options.add.includes(AGENT)) {
    await checkInitrd(initrd, true);
    entries.push(...agentFiles());
  }
  if (entries.length === 0) return { initrd, release: found?.release, added };
  return {
    initrd: concatenateArchives(initrd, writeCpio(entries, { parents: false })),
    release: found?.release,
    added,
  };
}

/** As kmod looks it up: with _ for -, but for ranges in brackets. */
const plainAlias = (pattern: string): string => pattern.replace(/\[[^\]]*\]|-/g, (text) => (text === "-" ? "_" : text));

async function moduleEntries(
  source: EntrySource,
  { folder, release }: { folder: string; release: string },
  wanted: readonly string[],
  options: AddonsOptions,
  added: string[],
): Promise<FileEntry[]> {
  const read = async (name: string) => decode(await source.read(`${folder}/${name}`));
  const present = parseDep(await read("modules.dep"));
  const builtin = new Set((await read("modules.builtin")).split("\n").map(moduleName));
  const isThere = async (name: string) => {
    const path = present.get(name)?.path;
    return builtin.has(name) || (path !== undefined && (await source.has(`${folder}/${path}`)));
  };
  const missing: string[] = [];
  for (const name of wanted) if (!(await isThere(name))) missing.push(name);
  for (const { needs } of wanted.map((name) => present.get(name)).filter((it) => it !== undefined)) {
    for (const name of needs) if (!(await isThere(name))) missing.push(name);
  }
  if (missing.length === 0) return [];

  const files = new Map<string, { path: string; data: Uint8Array }>();
  const aliases: string[] = [];
  const all = new Map(present);
  const take = async (place: string): Promise<void> => {
    const packaged = new PackagedModules(
      existsSync(join(place, "kernel")) ? place : join(place, "lib/modules", release),
    );
    const queue = [...missing];
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      if (files.has(name) || packaged.builtin.has(name) || (!missing.includes(name) && (await isThere(name)))) continue;
      const module = await packaged.read(name);
      if (module === undefined) {
        throw new OptionError(
          `kernel ${release} was built without ${name}: take a kernel that has it, such as one of \`paravane guest kernel\``,
        );
      }
      const info = moduleInfo(module.data);
      const needs = info.depends.map(moduleName);
      files.set(name, module);
      all.set(name, { path: module.path, needs });
      aliases.push(...info.aliases.map((alias) => `alias ${alias} ${name}`));
      queue.push(...needs);
    }
  };
  if (options.modules !== undefined) await take(options.modules);
  else if (options.withModules !== undefined) await options.withModules(release, take);
  else await withKernelPackage(release, { progress: options.onNotice }, take);
  if (files.size === 0) return [];
  added.push(...files.keys());

  const line = ({ path, needs }: Module): string =>
    `${path}:${allNeeds(needs, all)
      .flatMap((name) => all.get(name)?.path ?? [])
      .map((it) => ` ${it}`)
      .join("")}`;
  const dep = [...all.values()].map(line);
  const oldAliases = (await read("modules.alias")).split("\n").filter((text) => text.startsWith("alias "));
  const alias = [...new Set([...oldAliases, ...aliases])];
  const contents: FileEntry[] = [
    file(`${folder}/modules.dep`, `${dep.join("\n")}\n`),
    file(`${folder}/modules.alias`, `${alias.join("\n")}\n`),
    ...[...files.values()].map(({ path, data }) => file(`${folder}/${path}`, data)),
  ];
  if (await source.has(`${folder}/modules.dep.bin`)) {
    const keyed = dep.map((text) => ({ key: moduleName(text.slice(0, text.indexOf(":"))), value: text }));
    const aliasEntries = alias.map((text) => {
      const [, pattern, module] = text.split(" ");
      return { key: plainAlias(pattern), value: module };
    });
    contents.push(
      file(`${folder}/modules.dep.bin`, writeKmodIndex(keyed)),
      file(`${folder}/modules.alias.bin`, writeKmodIndex(aliasEntries)),
    );
  }
  return [
    ...(await newFolders(
      source,
      contents.map(({ path }) => path),
    )),
    ...contents,
  ];
}
