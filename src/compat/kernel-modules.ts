// The modules of one Linux kernel in an initramfs or on a root file system: which there are, what
// each needs, and what hardware each is loaded for (modules.dep(5), depmod(8)):
//
//   modules.dep              "path: path path": a module, and what must be loaded before it
//   modules.alias            "alias PATTERN MODULE"
//   modules.builtin          paths of what could be a module and is built in
//   modules.builtin.modinfo  "module.key=value", each with a zero behind it
//   modules.order            every module that was built with the kernel, here or not
//
// Where there are no indexes, the modules themselves tell the same.
import { moduleInfo } from "../image/elf-metadata.ts";
import type { FileSource } from "./file-source.ts";
import { aliasMatches, type HardwareId, modalias } from "./hardware-id.ts";
import { packingOf, type Unpack } from "./initramfs.ts";

const FOLDERS = ["usr/lib/modules", "lib/modules"];
const MOST_INDEX = 64 * 1024 * 1024;
const MOST_LINES = 1_000_000;
/** Without an index: modules that are opened, folders that are looked into, and a module's bytes. */
const MOST_OPENED = 20_000;
const MOST_DEPTH = 16;
const MOST_MODULE = 256 * 1024 * 1024;

/** Modules are named with - or _ alike: the name with _, without folder and suffix. */
export const moduleName = (path: string): string =>
  path
    .slice(path.lastIndexOf("/") + 1)
    .replace(/\.ko(\.\w+)?$/, "")
    .replaceAll("-", "_");

interface LoadableModule {
  path: string;
  needs: string[];
}

/** What stands in the way of a module: itself not there, or one that it needs. */
export type Loading = "builtin" | "loadable" | { absent: string };

export class KernelModules {
  /** Where they are, for messages. */
  readonly source: string;
  /** Built in, as far as it could be a module. Undefined if nothing says so. */
  readonly builtin: ReadonlySet<string> | undefined;
  /** Every module built with the kernel, here or not. Undefined if nothing says so. */
  readonly packaged: ReadonlySet<string> | undefined;
  readonly #loadable: Map<string, LoadableModule>;
  readonly #aliases: [pattern: string, module: string][];
  readonly #builtinAliases: [pattern: string, module: string][];

  constructor(parts: {
    source: string;
    builtin?: ReadonlySet<string>;
    packaged?: ReadonlySet<string>;
    loadable?: Map<string, LoadableModule>;
    aliases?: [string, string][];
    builtinAliases?: [string, string][];
  }) {
    this.source = parts.source;
    this.builtin = parts.builtin;
    this.packaged = parts.packaged;
    this.#loadable = parts.loadable ?? new Map();
    this.#aliases = parts.aliases ?? [];
    this.#builtinAliases = parts.builtinAliases ?? [];
  }

  get count(): number {
    return this.#loadable.size;
  }

  /** Path of a module's file, below the folder of modules. */
  pathOf(name: string): string | undefined {
    return this.#loadable.get(name)?.path;
  }

  /** Whether module `name` (with _) can be had, with all that it needs. */
  loading(name: string): Loading {
    if (this.builtin?.has(name)) return "builtin";
    const seen = new Set<string>();
    const queue = [name];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (seen.has(next) || this.builtin?.has(next)) continue;
      seen.add(next);
      const module = this.#loadable.get(next);
      if (module === undefined) return { absent: next };
      queue.push(...module.needs);
    }
    return "loadable";
  }

  /** Modules that Linux loads for hardware `id`. */
  modulesFor(id: HardwareId): string[] {
    return matching(this.#aliases, id);
  }

  /** What is built in and says that it drives hardware `id`. */
  builtinFor(id: HardwareId): string[] {
    return matching(this.#builtinAliases, id);
  }
}

function matching(aliases: readonly [string, string][], id: HardwareId): string[] {
  const name = modalias(id);
  if (name === undefined) return [];
  return aliases.filter(([pattern]) => aliasMatches(pattern, name)).map(([, module]) => module);
}

const lines = (text: string): string[] => text.split("\n", MOST_LINES).filter((line) => line !== "");

async function readText(source: FileSource, path: string): Promise<string | undefined> {
  const bytes = await source.read(path);
  if (bytes === undefined || bytes.length > MOST_INDEX) return undefined;
  return new TextDecoder().decode(bytes);
}

function parseBuiltinModinfo(text: string): [string, string][] {
  const aliases: [string, string][] = [];
  for (const pair of text.split("\0", MOST_LINES)) {
    const match = /^([\w-]+)\.alias=(.*)$/.exec(pair);
    if (match) aliases.push([match[2], moduleName(match[1])]);
  }
  return aliases;
}

/** Modules by the files that there are, for want of an index. */
async function readModuleFiles(
  source: FileSource,
  folder: string,
  unpack: Unpack,
): Promise<{ loadable: Map<string, LoadableModule>; aliases: [string, string][] }> {
  const loadable = new Map<string, LoadableModule>();
  const aliases: [string, string][] = [];
  let opened = 0;
  const walk = async (path: string, depth: number): Promise<void> => {
    if (depth > MOST_DEPTH) return;
    for (const name of await source.list(`${folder}/${path}`)) {
      if (++opened > MOST_OPENED) return;
      const below = path === "" ? name : `${path}/${name}`;
      if (!/\.ko(\.\w+)?$/.test(name)) {
        await walk(below, depth + 1);
        continue;
      }
      const file = await source.read(`${folder}/${below}`);
      if (file === undefined) continue;
      try {
        const packing = packingOf(file);
        const info = moduleInfo(packing === undefined ? file : (await unpack(packing, file, MOST_MODULE)).content);
        const module = moduleName(below);
        loadable.set(module, { path: below, needs: info.depends.map(moduleName) });
        for (const alias of info.aliases) aliases.push([alias, module]);
      } catch {
        // No module after all, or packed in a way that cannot be read here: modprobe would refuse it too, or we say it is absent.
      }
    }
  };
  await walk("", 0);
  return { loadable, aliases };
}

/** The folder of modules of kernel `release`, and another release if there are only such. */
async function findFolder(source: FileSource, release: string | undefined): Promise<[string?, string?]> {
  let other: string | undefined;
  for (const folder of FOLDERS) {
    const releases = await source.list(folder);
    if (release !== undefined && releases.includes(release)) return [`${folder}/${release}`];
    if (release === undefined && releases.length === 1) return [`${folder}/${releases[0]}`];
    other ??= releases[0];
  }
  return [undefined, other];
}

/** What the check asks modules for: hardware, and modules by name. Files are looked for of these and what they need alone. */
export interface ModuleInterest {
  ids: readonly HardwareId[];
  names: readonly string[];
}

/** Forgets modules whose files are not there, of those that matter. */
async function forgetAbsent(
  source: FileSource,
  folder: string,
  loadable: Map<string, LoadableModule>,
  first: readonly string[],
): Promise<void> {
  const seen = new Set<string>();
  const queue = [...first];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const module = loadable.get(name);
    if (seen.has(name) || module === undefined) continue;
    seen.add(name);
    queue.push(...module.needs);
    if (!(await source.has(`${folder}/${module.path}`))) loadable.delete(name);
  }
}

/**
 * The modules of kernel `release` in `source`, or of its only kernel.
 * @returns undefined if there are none; `otherRelease` then is a kernel's whose modules there are.
 */
export async function readModules(
  source: FileSource,
  release: string | undefined,
  unpack: Unpack,
  interest: ModuleInterest,
): Promise<{ modules?: KernelModules; otherRelease?: string }> {
  const [folder, otherRelease] = await findFolder(source, release);
  if (folder === undefined) return { otherRelease };
  const index = (name: string) => readText(source, `${folder}/${name}`);

  const builtin = await index("modules.builtin");
  const modinfo = await index("modules.builtin.modinfo");
  const order = await index("modules.order");
  const dep = await index("modules.dep");
  const common = {
    source: source.name,
    builtin: builtin === undefined ? undefined : new Set(lines(builtin).map(moduleName)),
    packaged: order === undefined ? undefined : new Set(lines(order).map(moduleName)),
    builtinAliases: modinfo === undefined ? [] : parseBuiltinModinfo(modinfo),
  };
  if (dep === undefined)
    return { modules: new KernelModules({ ...common, ...(await readModuleFiles(source, folder, unpack)) }) };

  const loadable = new Map<string, LoadableModule>();
  for (const line of lines(dep)) {
    const [path, needs] = line.split(":", 2);
    if (needs === undefined) continue;
    loadable.set(moduleName(path), { path, needs: needs.split(" ").filter(Boolean).map(moduleName) });
  }
  const aliases: [string, string][] = [];
  for (const line of lines((await index("modules.alias")) ?? "")) {
    const match = /^alias (\S+) (\S+)$/.exec(line);
    if (match) aliases.push([match[1], moduleName(match[2])]);
  }
  const matched = interest.ids.flatMap((id) => matching(aliases, id));
  await forgetAbsent(source, folder, loadable, [...matched, ...interest.names]);
  return { modules: new KernelModules({ ...common, loadable, aliases }) };
}
