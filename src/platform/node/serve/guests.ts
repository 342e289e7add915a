// The guests of the API: each a draft until it is started, then one of the hypervisor's.
import { statSync } from "node:fs";
import { OptionError } from "../../../errors.ts";
import type { HostedGuest } from "../../../hypervisor/hosted-guest.ts";
import { checkGuestName, type Hypervisor } from "../../../hypervisor/hypervisor.ts";
import type { HostedGuestOptions } from "../hypervisor.ts";
import { GuestDraft } from "./draft.ts";
import { RequestError } from "./validate.ts";

/** Guests that a server keeps the descriptions of. */
const MOST_GUESTS = 1024;

export interface ServedGuest {
  readonly id: string;
  readonly draft: GuestDraft;
  /** Once it was started. */
  hosted: HostedGuest<HostedGuestOptions> | undefined;
}

export class ServedGuests {
  readonly #hypervisor: Hypervisor<HostedGuestOptions>;
  readonly #guests = new Map<string, ServedGuest>();

  constructor(hypervisor: Hypervisor<HostedGuestOptions>) {
    this.#hypervisor = hypervisor;
  }

  list(): ServedGuest[] {
    return [...this.#guests.values()];
  }

  /** @throws RequestError with status 404 if there is none. */
  get(id: string): ServedGuest {
    const guest = this.#guests.get(id);
    if (guest === undefined) throw new RequestError(404, `there is no guest ${id}: describe it with PUT first`);
    return guest;
  }

  /** The guest of that name, new if there was none. */
  describe(id: string): ServedGuest {
    const known = this.#guests.get(id);
    if (known !== undefined) return known;
    checkGuestName(id);
    if (this.#guests.size >= MOST_GUESTS) {
      throw new RequestError(400, `there are ${MOST_GUESTS} guests already: DELETE one first`);
    }
    const guest: ServedGuest = { id, draft: new GuestDraft(), hosted: undefined };
    this.#guests.set(id, guest);
    return guest;
  }

  /** What is described may change until the guest was started. */
  draftOf(id: string): GuestDraft {
    const { hosted, draft } = this.describe(id);
    if (hosted !== undefined) {
      throw new RequestError(409, `guest ${id} was started: what it is made of cannot be changed any more`);
    }
    return draft;
  }

  /** @throws RequestError with status 409 if it was not started. */
  started(id: string): HostedGuest<HostedGuestOptions> {
    const { hosted } = this.get(id);
    if (hosted === undefined)
      throw new RequestError(409, `guest ${id} is not started: PUT /actions InstanceStart first`);
    return hosted;
  }

  async start(id: string): Promise<void> {
    const guest = this.get(id);
    if (guest.hosted !== undefined) return guest.hosted.boot();
    const hosted = this.#hypervisor.create(id, guest.draft.options());
    try {
      await hosted.boot();
      guest.hosted = hosted;
    } catch (error) {
      // What it is made of can still be mended.
      await hosted.destroy();
      throw error;
    }
  }

  async remove(id: string): Promise<void> {
    await this.get(id).hosted?.destroy();
    this.#guests.delete(id);
  }

  /** Gives drive `driveId` of a guest that runs another size: `bytes`, or what its file has by now. */
  async resizeDrive(id: string, driveId: string, bytes: number | undefined): Promise<void> {
    const hosted = this.started(id);
    const drives = this.get(id).draft.orderedDrives;
    const index = drives.findIndex((it) => it.drive_id === driveId);
    if (index < 0) throw new RequestError(404, `guest ${id} has no drive ${driveId}`);
    const path = drives[index].path_on_host;
    try {
      await hosted.resizeDisk(index, bytes ?? statSync(path).size);
    } catch (error) {
      if (error instanceof OptionError) throw error;
      throw new RequestError(400, `drive ${driveId}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
