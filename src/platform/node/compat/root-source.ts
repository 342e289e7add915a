// A guest's root file system: a folder, or a disk image, with or without a partition table. ext4 is read by
// debugfs(8) where the host has it; that and what else Debian's kernel can mount, by a guest of ours.
import { statSync } from "node:fs";
import type { FileSource } from "../../../compat/file-source.ts";
import { OptionError } from "../../../errors.ts";
import { fileSystems, isReadable, READABLE_NAMES } from "./disk-image.ts";
import { Ext4Source, hasDebugfs } from "./ext4-source.ts";
import { FolderSource } from "./folder-source.ts";
import { MountedImage } from "./mounted-image.ts";

export interface OpenRoot {
  source: FileSource;
  close(): Promise<void>;
}

/** @throws OptionError for what is not there, or is neither folder nor file. */
function kindOf(path: string): "folder" | "image" {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new OptionError(`root ${path} does not exist: give a folder or a disk image`);
  if (stat.isDirectory()) return "folder";
  if (stat.isFile()) return "image";
  throw new OptionError(`root ${path} is neither a folder nor a disk image: give one`);
}

/** Of several ext4 file systems (a /boot of its own, say) that which looks like a root, else the first. */
async function ext4Root(path: string, offsets: readonly number[]): Promise<FileSource> {
  const all = offsets.map((offset) => new Ext4Source(path, offset));
  for (const source of all) if ((await source.has("etc")) && (await source.has("usr"))) return source;
  return all[0];
}

/**
 * Opens the root file system at `path`; whoever is done with it closes it. `onNotice` hears of what takes long.
 * @throws OptionError for what holds no file system that can be read here.
 */
export async function openRoot(path: string, onNotice?: (line: string) => void): Promise<OpenRoot> {
  const nothing = async () => {};
  if (kindOf(path) === "folder") return { source: new FolderSource(path), close: nothing };
  const found = fileSystems(path);
  const readable = found.filter(isReadable);
  if (readable.length === 0) {
    const others = [...new Set(found.map(({ kind }) => kind))].join(" and ");
    throw new OptionError(
      `root ${path} holds ${others === "" ? "no file system that is known here" : `${others}, which is not read here`}: ` +
        `give an image with ${READABLE_NAMES}, or a folder with the files`,
    );
  }
  if (readable.every(({ kind }) => kind === "ext4") && (await hasDebugfs())) {
    const source = await ext4Root(
      path,
      readable.map(({ offset }) => offset),
    );
    return { source, close: nothing };
  }
  onNotice?.(`mounting ${path} in a guest to read it`);
  const source = await MountedImage.open(path, { onNotice });
  return { source, close: () => source.close() };
}
