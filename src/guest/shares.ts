// A guest's shared folders: the engine's calls by share number, answered by 9P servers.
import { Machine } from "../../assembly/abi/layout.ts";
import { LATER, ShareServer } from "../backend/9p/server.ts";
import type { ShareBackend } from "../backend/9p/share-backend.ts";
import { Pieces } from "../backend/pieces.ts";
import type { Engine } from "../engine/engine.ts";
import { OptionError } from "../errors.ts";
import { closeAll } from "./close-all.ts";
import type { AttachedShare } from "./machine.ts";

/** How many a guest may have. */
const SHARES_MAX = 8;

/** A folder of the host in the guest: `mount -t 9p -o trans=virtio TAG /mnt`. */
export interface ShareOptions {
  /** Name by which the guest mounts it: 1 to 31 printable ASCII characters. */
  tag: string;
  backend?: ShareBackend;
  /** The guest can change nothing. */
  readOnly?: boolean;
}

/** @throws OptionError if there are too many, or tags are no names. */
export function checkShares(shares: readonly ShareOptions[]): AttachedShare[] {
  if (shares.length > SHARES_MAX) throw new OptionError(`more than ${SHARES_MAX} shares: leave some out`);
  const tags = new Set<string>();
  return shares.map(({ tag, backend, readOnly = false }) => {
    if (!/^[\x21-\x7e]{1,31}$/.test(tag)) {
      throw new OptionError(`share "${tag}": a tag has 1 to 31 printable ASCII characters: write another`);
    }
    if (tags.has(tag)) throw new OptionError(`share ${tag}: the tag is taken: write another`);
    tags.add(tag);
    if (backend === undefined) throw new OptionError(`share ${tag}: give its folder`);
    return { tag, backend, readOnly: readOnly || backend.readOnly };
  });
}

export interface ShareEvents {
  /** A reply that came later was given to the guest. */
  wake(): void;
}

export class Shares {
  readonly #servers: readonly ShareServer[];
  readonly #events: ShareEvents;
  /** With the virtual clock nothing may end at a moment that the host chooses. */
  readonly #allAtOnce: boolean;
  #isClosed = false;

  constructor(shares: readonly AttachedShare[], allAtOnce: boolean, events: ShareEvents) {
    this.#servers = shares.map(({ backend, readOnly }) => new ShareServer(backend, { readOnly }));
    this.#allAtOnce = allAtOnce;
    this.#events = events;
  }

  /** Replies that are still to come. */
  get pending(): number {
    return this.#servers.reduce((sum, { pending }) => sum + pending, 0);
  }

  /** host.shareRequest */
  request(engine: Engine, share: number, tag: number, list: number, readable: number, writable: number): number {
    const server = this.#servers[share];
    if (server === undefined || this.#isClosed) return 0;
    const { bytes, view } = engine;
    const request = Pieces.list(bytes, view, list, readable);
    const room = Pieces.list(bytes, view, list + 8 * readable, writable);
    if (this.#allAtOnce) return server.answer(request, room);
    const length = server.answer(request, room, (reply) => {
      if (this.#isClosed) return;
      engine.exports.shareDone(share, tag, Machine.SCRATCH, engine.writeScratch(reply));
      this.#events.wake();
    });
    return length === LATER ? -1 : length;
  }

  /** The machine starts over: what the guest held is let go. */
  reset(): void {
    for (const server of this.#servers) server.reset();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeAll(this.#servers);
  }
}
