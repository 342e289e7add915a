// Gives a disk image what it lacks for paravirtual devices: modules out of its kernel's own package, in the root file
// system and in the initrd beside the kernel, and QEMU's guest agent. The image is copied, and the copy is mounted in a
// guest of ours (mounted-image.ts), whose kernel does the writing: the host needs nothing for it.
import { renameSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import type { FileSource } from "../../../compat/file-source.ts";
import { readInitramfs } from "../../../compat/initramfs.ts";
import { OptionError } from "../../../errors.ts";
import { concatenateArchives, writeCpio } from "../../../image/cpio.ts";
import { type FileEntry, file } from "../../../image/file-tree.ts";
import { type ModuleSourceOptions, moduleEntries, modulesFolder } from "./addon-modules.ts";
import { type AddonsOptions, AGENT, wantedModules } from "./addons.ts";
import { newestKernel } from "./boot-files.ts";
import { copySparse } from "./copy-sparse.ts";
import { fileSystems, isReadable } from "./disk-image.ts";
import { addAgent } from "./image-agent.ts";
import { MountedImage } from "./mounted-image.ts";
import { unpack } from "./unpack.ts";

export interface ImageAddonsOptions extends AddonsOptions {
  /** The new image: a file that is replaced if it is there. `image` itself, to change that. */
  output: string;
}

export interface ImageAddons {
  /** Release of the kernel. Undefined if no module was asked for. */
  release: string | undefined;
  /** Modules that were added to the root file system, and to the initrd in its /boot. */
  added: string[];
  addedToInitrd: string[];
  /** The agent was added. */
  agent: boolean;
}

/** Whether `path` is a disk image, as far as that can be seen: something with a file system. */
export function isDiskImage(path: string): boolean {
  return fileSystems(path).length > 0;
}

/** @throws OptionError unless the image has a file system that can be written. */
function checkWritable(path: string): void {
  const found = fileSystems(path);
  if (found.some(({ kind }) => kind === "ext4")) return;
  const [other] = found;
  if (other === undefined) throw new OptionError(`${path} holds no file system that is known here: give an ext4 image`);
  const why = isReadable(other) ? "which is never written to: make it anew from its files, or" : "which is not read:";
  throw new OptionError(`${path} holds ${other.kind}, ${why} give an ext4 image`);
}

/**
 * Makes a copy of disk image `path` with what `add` names.
 * @throws OptionError if it cannot be added, DebianGuestError if the guest that does it cannot be made.
 */
export async function addToImage(path: string, options: ImageAddonsOptions): Promise<ImageAddons> {
  const wanted = wantedModules(options.add);
  const wantsAgent = options.add.includes(AGENT);
  checkWritable(path);
  const output = resolve(options.output);
  const unfinished = `${output}.${process.pid}`;
  try {
    copySparse(path, unfinished);
    options.onNotice?.(`mounting a copy of ${path} in a guest to write to it`);
    const image = await MountedImage.open(unfinished, {
      ...{ name: path, writable: true, tools: wantsAgent, onNotice: options.onNotice },
    });
    let made: ImageAddons;
    try {
      const modules = await addModules(image, wanted, options);
      made = { ...modules, agent: wantsAgent && (await addAgent(image, options.onNotice)) };
    } finally {
      await image.close();
    }
    renameSync(unfinished, output);
    return made;
  } finally {
    rmSync(unfinished, { force: true });
  }
}

async function addModules(
  image: MountedImage,
  wanted: readonly string[],
  options: ModuleSourceOptions,
): Promise<Omit<ImageAddons, "agent">> {
  if (wanted.length === 0) return { release: undefined, added: [], addedToInitrd: [] };
  const booted = await newestKernel(image);
  const found = await modulesFolder(image, options, booted?.release);
  if (found === undefined) {
    throw new OptionError(
      `image ${image.name} has neither a kernel in /boot nor modules of one: name the kernel that boots with --release`,
    );
  }
  const { entries, added } = await moduleEntries(image, found, wanted, options);
  const files = [...entries];
  const initrd = booted?.release === found.release ? booted.initrd : undefined;
  const mended = initrd === undefined ? undefined : await mendInitrd(image, initrd, wanted, { ...options, ...found });
  if (mended !== undefined) files.push(mended.file);
  if (files.length > 0) await image.unpack(writeCpio(files, { parents: false }));
  return { release: found.release, added, addedToInitrd: mended?.added ?? [] };
}

/** The initrd at `path` with the same modules, if it has modules of that kernel and lacks some. */
async function mendInitrd(
  image: MountedImage,
  path: string,
  wanted: readonly string[],
  options: ModuleSourceOptions,
): Promise<{ file: FileEntry; added: string[] } | undefined> {
  const bytes = await image.read(path);
  if (bytes === undefined) return undefined;
  const source: FileSource = await readInitramfs(bytes, unpack, `the initrd ${path}`);
  const found = await modulesFolder(source, options);
  if (found === undefined || !(await source.has(found.folder))) return undefined;
  const { entries, added } = await moduleEntries(source, found, wanted, options);
  if (entries.length === 0) return undefined;
  return { file: file(path, concatenateArchives(bytes, writeCpio(entries, { parents: false })), 0o600), added };
}
