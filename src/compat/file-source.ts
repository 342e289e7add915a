// Where the files of a guest are read from: an initramfs, a folder, a disk image. Whoever made
// it is not trusted: links may loop, and lead nowhere but inside of it.
import type { FileEntry } from "../image/file-tree.ts";

export interface FileSource {
  /** For messages: "the initramfs". */
  readonly name: string;
  /** The content of a file, links followed; undefined if there is none. `path` is relative to the root. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Whether a file or directory is there. */
  has(path: string): Promise<boolean>;
  /** Names in a directory; none if it is not there. */
  list(path: string): Promise<string[]>;
}

/** As many links as Linux follows in one path (MAXSYMLINKS). */
export const MOST_LINKS = 40;

/** What a path leads to where links are known: `linkAt` gives the target of a link at a normal path. Undefined if they loop. */
export function followLinks(path: string, linkAt: (path: string) => string | undefined): string | undefined {
  const todo = path.split("/").reverse();
  const done: string[] = [];
  let links = 0;
  while (todo.length > 0) {
    const name = todo.pop() as string;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      done.pop();
      continue;
    }
    const target = linkAt([...done, name].join("/"));
    if (target === undefined) {
      done.push(name);
      continue;
    }
    if (++links > MOST_LINKS) return undefined;
    if (target.startsWith("/")) done.length = 0;
    todo.push(...target.split("/").reverse());
  }
  return done.join("/");
}

const plainPath = (path: string): string =>
  path
    .split("/")
    .filter((name) => name !== "" && name !== ".")
    .join("/");

/** The files of archives, the later ones over the earlier, as Linux unpacks them. */
export class EntrySource implements FileSource {
  readonly name: string;
  readonly #entries = new Map<string, FileEntry>();
  readonly #children = new Map<string, Set<string>>();

  constructor(name: string, entries: Iterable<FileEntry>) {
    this.name = name;
    for (const entry of entries) {
      const path = plainPath(entry.path);
      if (path === "") continue;
      this.#entries.set(path, entry);
      // An archive need not name the directories above.
      for (let end = path.length; end > 0; ) {
        const slash = path.lastIndexOf("/", end - 1);
        const parent = path.slice(0, Math.max(slash, 0));
        const names = this.#children.get(parent) ?? new Set();
        this.#children.set(parent, names.add(path.slice(slash + 1, end)));
        end = slash;
      }
    }
  }

  get files(): number {
    return this.#entries.size;
  }

  #resolve(path: string): string | undefined {
    return followLinks(path, (at) => {
      const entry = this.#entries.get(at);
      return entry?.kind === "symlink" ? entry.target : undefined;
    });
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    const real = this.#resolve(path);
    const entry = real === undefined ? undefined : this.#entries.get(real);
    return entry?.kind === "file" ? entry.data : undefined;
  }

  async has(path: string): Promise<boolean> {
    const real = this.#resolve(path);
    return real !== undefined && (this.#entries.has(real) || this.#children.has(real));
  }

  async list(path: string): Promise<string[]> {
    const real = this.#resolve(path);
    return real === undefined ? [] : [...(this.#children.get(real) ?? [])];
  }
}
