// A guest's socket device: packets between the engine and the host's half of the sockets.
import { Pieces } from "../backend/pieces.ts";
import type { VsockBackend } from "../backend/vsock/vsock-backend.ts";
import { VsockHost } from "../backend/vsock/vsock-host.ts";
import type { Engine } from "../engine/engine.ts";
import { OptionError } from "../errors.ts";
import type { Platform } from "./platform.ts";

/** Addresses below belong to the hypervisor, to "any" and to the host; the highest means "any" too. */
const FIRST_CID = 3;
const LAST_CID = 0xffff_fffe;

/** AF_VSOCK sockets of the guest, connected with the host. */
export interface VsockOptions {
  /** Address of the guest (CID), 3 or more. Default: 3. */
  cid?: number;
  backend?: VsockBackend;
}

export interface AttachedVsock {
  cid: number;
  backend: VsockBackend;
}

/** @throws OptionError */
export function checkVsock({ cid = FIRST_CID, backend }: VsockOptions): AttachedVsock {
  if (!Number.isInteger(cid) || cid < FIRST_CID || cid > LAST_CID) {
    throw new OptionError(`vsock address ${cid} is none of a guest: write a whole number from 3 to ${LAST_CID}`);
  }
  if (backend === undefined) throw new OptionError("vsock: give the path of its Unix socket");
  return { cid, backend };
}

export class VsockDevice {
  readonly #host: VsockHost;
  readonly #engine: () => Engine;

  /** `instance` is the device's; `wake` is called when a sleeping guest was given something. */
  constructor(
    { cid, backend }: AttachedVsock,
    instance: number,
    parts: { engine: () => Engine; platform: Platform; wake: () => void },
  ) {
    this.#engine = parts.engine;
    this.#host = new VsockHost(backend, cid, {
      room: () => {
        const { exports, bytes, view } = parts.engine();
        const at = exports.vsockRoom(instance) >>> 0;
        return at === 0 ? undefined : Pieces.list(bytes, view, at + 8, view.getUint32(at, true));
      },
      give: (length) => {
        parts.engine().exports.vsockGive(instance, length);
        parts.wake();
      },
      startTimer: (milliseconds, wake) => parts.platform.startTimer(milliseconds, wake),
    });
  }

  /** host.vsockPacket */
  packet(list: number, count: number): void {
    const { bytes, view } = this.#engine();
    this.#host.receive(Pieces.list(bytes, view, list, count));
  }

  /** host.vsockReady */
  ready(): void {
    this.#host.pump();
  }

  /** host.vsockReset */
  reset(): void {
    this.#host.reset();
  }

  close(): void {
    this.#host.close();
  }
}
