// Gives an initrd what it lacks for paravirtual devices: modules that its kernel's own package ships, with all that
// they need, and an /init that serves commands. What is added goes into an archive behind the others, which
// Linux unpacks over them; nothing of the initrd is changed. Disk images: image-addons.ts.
import { readInitramfs } from "../../../compat/initramfs.ts";
import { needsOf } from "../../../compat/needs.ts";
import { OptionError } from "../../../errors.ts";
import { concatenateArchives, writeCpio } from "../../../image/cpio.ts";
import { checkInitrd } from "../../../image/initrd.ts";
import { agentFiles } from "../../../image/overlay.ts";
import { CATALOGUE, type CatalogueRow } from "../../../machine/catalogue.ts";
import { type AddedModules, type ModuleSourceOptions, moduleEntries, modulesFolder } from "./addon-modules.ts";
import { unpack } from "./unpack.ts";

/** Shorter names of the catalogue's rows. */
const SHORT: Record<string, string> = {
  ...{ "9p": "virtio-9p", vsock: "virtio-vsock", pmem: "virtio-pmem", balloon: "virtio-balloon" },
  ...{ rng: "virtio-rng", console: "virtio-console" },
};
export const AGENT = "agent";

const ROWS: readonly CatalogueRow[] = CATALOGUE;
/** Rows that a module drives. */
const ADDABLE = ROWS.filter(({ transport }) => ["pci", "virtio-mmio", "virtio-pci"].includes(transport));

/** What can be added, for help texts. */
export function addonNames(): string[] {
  return [...ADDABLE.map(({ id }) => id), ...Object.keys(SHORT), AGENT];
}

/** Modules that a name such as "virtio-net" stands for. */
function modulesOf(name: string): string[] {
  const row = ADDABLE.find(({ id }) => id === (SHORT[name] ?? name));
  if (row === undefined) {
    throw new OptionError(`"${name}" is nothing that can be added: write ${addonNames().join(", ")}`);
  }
  return needsOf(row).ways.flatMap(({ needs }) => needs.map(({ module }) => module));
}

/** Modules that `add` stands for, without the agent. @throws OptionError for a name that is not known. */
export function wantedModules(add: readonly string[]): string[] {
  return [...new Set(add.filter((name) => name !== AGENT).flatMap(modulesOf))];
}

export interface AddonsOptions extends ModuleSourceOptions {
  /** What to add: rows of the catalogue, short names of them, and "agent". */
  add: readonly string[];
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
  const wanted = wantedModules(options.add);
  let modules: AddedModules = { entries: [], added: [] };
  let release: string | undefined;
  if (wanted.length > 0) {
    const found = await modulesFolder(source, options);
    if (found === undefined) {
      throw new OptionError(
        "the initrd has no folder of modules, which would say what kernel it is for: name that with --release",
      );
    }
    release = found.release;
    modules = await moduleEntries(source, found, wanted, options);
  }
  const entries = [...modules.entries];
  if (options.add.includes(AGENT)) {
    await checkInitrd(initrd, true);
    entries.push(...agentFiles());
  }
  if (entries.length === 0) return { initrd, release, added: [] };
  const whole = concatenateArchives(initrd, writeCpio(entries, { parents: false }));
  return { initrd: whole, release, added: modules.added };
}
