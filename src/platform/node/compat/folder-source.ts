// A root file system in a folder of the host. Links are followed as the guest would, so that none leads out
// of the folder.
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { type FileSource, followLinks } from "../../../compat/file-source.ts";
import { OptionError } from "../../../errors.ts";

/** Files are read whole: the largest that is of use is a kernel. */
const MOST_BYTES = 2 ** 30;

export class FolderSource implements FileSource {
  readonly name: string;
  readonly #folder: string;

  /** @throws OptionError unless `folder` is one. */
  constructor(folder: string) {
    this.name = folder;
    this.#folder = folder;
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      throw new OptionError(`root ${folder} is no folder: give one with a root file system, or a disk image`);
    }
  }

  /** The host's path of what `path` leads to. */
  #find(path: string): string | undefined {
    const real = followLinks(path, (at) => {
      try {
        return readlinkSync(join(this.#folder, at));
      } catch {
        return undefined;
      }
    });
    return real === undefined ? undefined : join(this.#folder, real);
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    const found = this.#find(path);
    // lstat: a pipe or a device is never opened.
    const stat = found === undefined ? undefined : lstatSync(found, { throwIfNoEntry: false });
    if (found === undefined || !stat?.isFile() || stat.size > MOST_BYTES) return undefined;
    return readFileSync(found);
  }

  async has(path: string): Promise<boolean> {
    const found = this.#find(path);
    return found !== undefined && lstatSync(found, { throwIfNoEntry: false }) !== undefined;
  }

  async list(path: string): Promise<string[]> {
    try {
      return readdirSync(this.#find(path) ?? "");
    } catch {
      return [];
    }
  }
}
