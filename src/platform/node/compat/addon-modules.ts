// Modules for a guest that lacks them, out of the package of its kernel: which are missing where the guest's files are,
// with all that they need, and modules.dep(5) and modules.alias that name them, as texts and in kmod's binary form.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { FileSource } from "../../../compat/file-source.ts";
import { packingOf } from "../../../compat/initramfs.ts";
import { moduleName } from "../../../compat/kernel-modules.ts";
import { OptionError } from "../../../errors.ts";
import { moduleInfo } from "../../../image/elf-metadata.ts";
import { directory, type FileEntry, file } from "../../../image/file-tree.ts";
import { writeKmodIndex } from "../../../image/kmod-index.ts";
import { withKernelPackage } from "../debian/kernel-package.ts";
import { unpack } from "./unpack.ts";

const MOST_MODULE = 256 * 1024 * 1024;
const FOLDERS = ["usr/lib/modules", "lib/modules"];
const RELEASE = /^\w[\w.+~-]{0,100}$/;
/** Lists of a package that say what is built in, and what was built at all. */
const LISTS = ["modules.builtin", "modules.builtin.modinfo", "modules.order"];

/** Where a kernel's modules are. */
export interface ModulesFolder {
  folder: string;
  release: string;
}

export interface ModuleSourceOptions {
  /** Folder of the kernel's modules: a package's lib/modules/VERSION. */
  modules?: string;
  /** Where `modules` is left out: calls `use` with such a folder for a release. Default: Debian's package of it. */
  withModules?(release: string, use: (folder: string) => Promise<void>): Promise<void>;
  /** What `uname -r` says of the kernel that boots. Default: the one whose modules are there. */
  release?: string;
  /** Hears of what takes long. */
  onNotice?(line: string): void;
}

export interface AddedModules {
  entries: FileEntry[];
  /** Names of the modules among them. */
  added: string[];
}

const decode = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes ?? new Uint8Array());

interface Module {
  path: string;
  /** All that it needs, each before what it needs itself. */
  needs: string[];
}

/**
 * The folder of the modules of the kernel that boots; it need not be there. Undefined if nothing says which kernel that is.
 * @param booted the release of the kernel beside the modules, if there is one.
 * @throws OptionError if there are several and none is named.
 */
export async function modulesFolder(
  source: FileSource,
  { release }: ModuleSourceOptions,
  booted?: string,
): Promise<ModulesFolder | undefined> {
  if (release !== undefined && !RELEASE.test(release)) {
    throw new OptionError(`release "${release}" is none of a kernel's: write what \`uname -r\` says`);
  }
  for (const folder of FOLDERS) {
    const releases = (await source.list(folder)).filter((name) => RELEASE.test(name));
    const wanted = release ?? (releases.length > 1 ? booted : releases[0]);
    if (wanted !== undefined && releases.includes(wanted)) return { folder: `${folder}/${wanted}`, release: wanted };
    if (release === undefined && releases.length > 0) {
      throw new OptionError(
        `${source.name} has modules of several kernels (${releases.join(", ")}): name the one that boots with --release`,
      );
    }
  }
  const wanted = release ?? booted;
  if (wanted === undefined) return undefined;
  const [parent] = (await source.has("usr/lib")) ? FOLDERS : FOLDERS.slice(1);
  return { folder: `${parent}/${wanted}`, release: wanted };
}

/** A kernel's modules as its package has them: below kernel/, and the list of what is built in. */
class PackagedModules {
  readonly #folder: string;
  readonly #paths: Map<string, string>;
  readonly builtin: ReadonlySet<string>;
  /** The lists that it has, by name. */
  readonly lists: ReadonlyMap<string, Uint8Array>;

  constructor(folder: string) {
    this.#folder = folder;
    const all = existsSync(join(folder, "kernel"))
      ? readdirSync(join(folder, "kernel"), { recursive: true, encoding: "utf8" })
      : [];
    this.#paths = new Map(
      all.filter((path) => /\.ko(\.\w+)?$/.test(path)).map((path) => [moduleName(path), join("kernel", path)]),
    );
    const there = LISTS.filter((name) => existsSync(join(folder, name)));
    this.lists = new Map(there.map((name) => [name, readFileSync(join(folder, name))]));
    this.builtin = new Set(decode(this.lists.get("modules.builtin")).split("\n").map(moduleName));
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

/** Directories above `paths` that `source` has not. */
export async function newFolders(source: FileSource, paths: readonly string[]): Promise<FileEntry[]> {
  const folders = new Map<string, FileEntry>();
  for (const path of paths) {
    for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
      const folder = path.slice(0, at);
      if (!folders.has(folder) && !(await source.has(folder))) folders.set(folder, directory(folder));
    }
  }
  return [...folders.values()];
}

/** As kmod looks it up: with _ for -, but for ranges in brackets. */
const plainAlias = (pattern: string): string => pattern.replace(/\[[^\]]*\]|-/g, (text) => (text === "-" ? "_" : text));

/**
 * What is to be put over `source` so that all of `wanted` (names with _) can be loaded.
 * @throws OptionError for a module that the kernel has not.
 */
export async function moduleEntries(
  source: FileSource,
  { folder, release }: ModulesFolder,
  wanted: readonly string[],
  options: ModuleSourceOptions,
): Promise<AddedModules> {
  const read = async (name: string) => decode(await source.read(`${folder}/${name}`));
  const present = parseDep(await read("modules.dep"));
  const builtin = new Set((await read("modules.builtin")).split("\n").map(moduleName));
  const isThere = async (name: string) => {
    const path = present.get(name)?.path;
    return builtin.has(name) || (path !== undefined && (await source.has(`${folder}/${path}`)));
  };
  // A folder that is not there yet gets all that a kernel's package would have said in it.
  const isNew = !(await source.has(`${folder}/modules.dep`));
  const missing: string[] = [];
  for (const name of wanted) if (!(await isThere(name))) missing.push(name);
  for (const { needs } of wanted.map((name) => present.get(name)).filter((it) => it !== undefined)) {
    for (const name of needs) if (!(await isThere(name))) missing.push(name);
  }
  if (missing.length === 0) return { entries: [], added: [] };

  const files = new Map<string, { path: string; data: Uint8Array }>();
  const aliases: string[] = [];
  const lists = new Map<string, Uint8Array>();
  const all = new Map(present);
  const take = async (place: string): Promise<void> => {
    const packaged = new PackagedModules(
      existsSync(join(place, "kernel")) ? place : join(place, "lib/modules", release),
    );
    if (isNew) for (const [name, content] of packaged.lists) lists.set(name, content);
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
  if (files.size === 0 && lists.size === 0) return { entries: [], added: [] };

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
    ...[...lists].map(([name, content]) => file(`${folder}/${name}`, content)),
    ...[...files.values()].map(({ path, data }) => file(`${folder}/${path}`, data)),
  ];
  if (isNew || (await source.has(`${folder}/modules.dep.bin`))) {
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
  const builtinPaths = decode(lists.get("modules.builtin")).split("\n").filter(Boolean);
  if (builtinPaths.length > 0) {
    const names = builtinPaths.map((path) => ({ key: moduleName(path), value: "" }));
    contents.push(file(`${folder}/modules.builtin.bin`, writeKmodIndex(names)));
  }
  const folders = await newFolders(
    source,
    contents.map(({ path }) => path),
  );
  return { entries: [...folders, ...contents], added: [...files.keys()] };
}
