// A root file system on an ext2, ext3 or ext4 image, read with debugfs(8) of e2fsprogs, which opens it
// read-only and needs no root. It takes a damaged or hostile image for what it is: a program apart,
// whose output is bounded and whose time is.
import { spawn } from "node:child_process";
import { type FileSource, followLinks } from "../../../compat/file-source.ts";
import { OptionError } from "../../../errors.ts";

const MOST_BYTES = 2 ** 30;
const MOST_MILLISECONDS = 60_000;
const MOST_ENTRIES = 100_000;
/** Debian keeps it out of the path of users. */
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
/** Of st_mode. */
const [TYPE_MASK, TYPE_LINK, TYPE_FILE] = [0o170000, 0o120000, 0o100000];

interface Entry {
  name: string;
  mode: number;
  size: number;
}

function debugfs(image: string, command: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PATH, LC_ALL: "C", DEBUGFS_PAGER: "cat" };
    const child = spawn("debugfs", ["-R", command, image], { env, stdio: ["ignore", "pipe", "ignore"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), MOST_MILLISECONDS);
    const parts: Buffer[] = [];
    let length = 0;
    child.on("error", (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const why = cause.code === "ENOENT" ? "this machine has no debugfs: install e2fsprogs" : cause.message;
      reject(new OptionError(`root ${image} is an ext4 image, and ${why}; or mount it and give its folder`, { cause }));
    });
    child.stdout.on("data", (part: Buffer) => {
      length += part.length;
      if (length <= MOST_BYTES) parts.push(part);
      else child.kill("SIGKILL");
    });
    child.on("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(parts));
    });
  });
}

/** Whether this machine has debugfs. */
export function hasDebugfs(): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn("debugfs", ["-V"], { env: { ...process.env, PATH }, stdio: "ignore" });
    child.on("error", () => resolve(false));
    child.on("close", () => resolve(true));
  });
}

export class Ext4Source implements FileSource {
  readonly name: string;
  /** As debugfs wants it: with the place of the file system in the image. */
  readonly #image: string;
  readonly #folders = new Map<string, Map<string, Entry>>();
  readonly #links = new Map<string, string | undefined>();

  constructor(image: string, offset: number) {
    this.name = image;
    this.#image = offset === 0 ? image : `${image}?offset=${offset}`;
  }

  /** Entries of the directory at a path without links. */
  async #entries(path: string): Promise<Map<string, Entry>> {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const entries = new Map<string, Entry>();
    this.#folders.set(path, entries);
    if (!/^[^"\n\\]*$/.test(path)) return entries;
    // Lines of /inode/mode/uid/gid/name/size/
    const output = (await debugfs(this.#image, `ls -p "/${path}"`)).toString();
    for (const line of output.split("\n", MOST_ENTRIES)) {
      const match = /^\/(\d+)\/(\d+)\/\d+\/\d+\/([^/]+)\/(\d*)\/$/.exec(line);
      if (match === null || match[1] === "0" || match[3] === "." || match[3] === "..") continue;
      entries.set(match[3], { name: match[3], mode: Number.parseInt(match[2], 8), size: Number(match[4] || 0) });
    }
    return entries;
  }

  async #entry(path: string): Promise<Entry | undefined> {
    const slash = path.lastIndexOf("/");
    return (await this.#entries(slash < 0 ? "" : path.slice(0, slash))).get(path.slice(slash + 1));
  }

  /** The path without links; undefined where they loop. */
  async #resolve(path: string): Promise<string | undefined> {
    // followLinks asks at once: each link that it meets is read before it is asked again.
    for (;;) {
      let unknown: string | undefined;
      const real = followLinks(path, (at) => {
        if (this.#links.has(at)) return this.#links.get(at);
        unknown ??= at;
        return undefined;
      });
      if (unknown === undefined) return real;
      const entry = await this.#entry(unknown);
      const isLink = entry !== undefined && (entry.mode & TYPE_MASK) === TYPE_LINK;
      this.#links.set(unknown, isLink ? await this.#target(unknown) : undefined);
    }
  }

  async #target(path: string): Promise<string | undefined> {
    if (!/^[^"\n\\]*$/.test(path)) return undefined;
    const output = (await debugfs(this.#image, `stat "/${path}"`)).toString();
    return /Fast link dest: "(.*)"/.exec(output)?.[1];
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    const real = await this.#resolve(path);
    const entry = real === undefined ? undefined : await this.#entry(real);
    if (real === undefined || entry === undefined || (entry.mode & TYPE_MASK) !== TYPE_FILE) return undefined;
    if (entry.size > MOST_BYTES || !/^[^"\n\\]*$/.test(real)) return undefined;
    return debugfs(this.#image, `cat "/${real}"`);
  }

  async has(path: string): Promise<boolean> {
    const real = await this.#resolve(path);
    return real === "" || (real !== undefined && (await this.#entry(real)) !== undefined);
  }

  async list(path: string): Promise<string[]> {
    const real = await this.#resolve(path);
    return real === undefined ? [] : [...(await this.#entries(real)).keys()];
  }
}
