// What a 9P client holds at the server: its fids. A fid names a place in the tree, and the
// open file there once it was opened. How much of everything one guest can hold is bounded.
import type { ShareBackend, ShareFile, ShareNode } from "./share-backend.ts";
import { LinuxErrno, ShareError } from "./share-error.ts";

/** A message carries at most this much: Linux asks for 500 KiB at most. */
export const MSIZE_MAX = 512 * 1024;
/** No smaller message size is agreed to: every reply but those with data must fit. */
export const MSIZE_MIN = 4096;

/** How much one client may hold. */
export interface ShareLimits {
  fids: number;
  openFiles: number;
}

const LIMITS: ShareLimits = { fids: 128 * 1024, openFiles: 8 * 1024 };
/** Names in the listings of all open directories together. */
const LISTED_MAX = 4 * 1024 * 1024;

export interface Fid {
  node: ShareNode;
  file?: ShareFile;
  /** An open directory's names, as they were when reading began: offsets stay valid whatever changes. */
  listing?: string[];
  isOpen: boolean;
  mayRead: boolean;
  mayWrite: boolean;
}

export interface SessionOptions {
  /** Default: as the backend is. */
  readOnly?: boolean;
  limits?: ShareLimits;
}

export class Session {
  readonly backend: ShareBackend;
  readonly readOnly: boolean;
  /** 0 until a version is agreed. */
  msize = 0;
  readonly #limits: ShareLimits;
  readonly #fids = new Map<number, Fid>();
  #open = 0;
  #listed = 0;

  constructor(backend: ShareBackend, { readOnly = backend.readOnly, limits = LIMITS }: SessionOptions) {
    this.backend = backend;
    this.readOnly = readOnly;
    this.#limits = limits;
  }

  get fids(): number {
    return this.#fids.size;
  }

  fid(number: number): Fid {
    const fid = this.#fids.get(number);
    if (fid === undefined) throw new ShareError(LinuxErrno.EBADF);
    return fid;
  }

  /** An open fid that may be read or written. */
  openFile(number: number, access: "mayRead" | "mayWrite"): ShareFile {
    const fid = this.fid(number);
    if (fid.file === undefined || !fid[access]) throw new ShareError(LinuxErrno.EBADF);
    return fid.file;
  }

  directory(number: number): ShareNode {
    const { node } = this.fid(number);
    if (node.kind !== "directory") throw new ShareError(LinuxErrno.ENOTDIR);
    return node;
  }

  /** Refuses a fid that is in use, or one too many. */
  checkNew(number: number): void {
    if (this.#fids.has(number)) throw new ShareError(LinuxErrno.EBADF);
    if (this.#fids.size >= this.#limits.fids) throw new ShareError(LinuxErrno.ENFILE);
  }

  /** `node` is the fid's from here on. */
  add(number: number, node: ShareNode): void {
    this.#fids.set(number, { node, isOpen: false, mayRead: false, mayWrite: false });
  }

  /** Puts a fid somewhere else. */
  replace(number: number, node: ShareNode): void {
    const fid = this.fid(number);
    const before = fid.node;
    fid.node = node;
    this.backend.release(before);
  }

  /** Refuses what may not be opened, or not once more. */
  checkOpen(fid: Fid): void {
    if (fid.isOpen) throw new ShareError(LinuxErrno.EBADF);
    if (this.#open >= this.#limits.openFiles) throw new ShareError(LinuxErrno.EMFILE);
  }

  opened(fid: Fid, file: ShareFile | undefined, access: { read: boolean; write: boolean }): void {
    fid.isOpen = true;
    fid.file = file;
    fid.mayRead = access.read;
    fid.mayWrite = access.write;
    this.#open++;
  }

  /** The names of an open directory; read anew from the host where reading begins anew. */
  listing(fid: Fid, anew: boolean): string[] {
    if (!fid.isOpen || fid.node.kind !== "directory") throw new ShareError(LinuxErrno.EBADF);
    if (fid.listing === undefined || anew) {
      this.#forgetListing(fid);
      const names = this.backend.list(fid.node);
      if (this.#listed + names.length > LISTED_MAX) throw new ShareError(LinuxErrno.ENOMEM);
      this.#listed += names.length;
      fid.listing = names;
    }
    return fid.listing;
  }

  #forgetListing(fid: Fid): void {
    this.#listed -= fid.listing?.length ?? 0;
    fid.listing = undefined;
  }

  clunk(number: number): void {
    const fid = this.fid(number);
    this.#fids.delete(number);
    this.#forgetListing(fid);
    if (fid.isOpen) this.#open--;
    try {
      fid.file?.close();
    } finally {
      this.backend.release(fid.node);
    }
  }

  /** A client that starts over holds nothing. */
  reset(): void {
    this.msize = 0;
    for (const number of [...this.#fids.keys()]) {
      try {
        this.clunk(number);
      } catch (error) {
        if (!(error instanceof ShareError)) throw error;
      }
    }
  }
}
