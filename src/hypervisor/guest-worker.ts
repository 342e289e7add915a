// What runs in a guest's own worker: makes the guest as it is told to, does what it is asked, and
// says what happens. Nothing in here knows of other guests, but for how much they have run.
import type { ExitInfo } from "../guest/exit-info.ts";
import type { Guest } from "../guest/guest.ts";
import type { CallRefusal } from "../hypercall/refusals.ts";
import { CALLS, type CallName, type HostSeconds } from "./calls.ts";
import { type Channel, type PortLike, portChannel } from "./channel.ts";
import { CpuShare, type SharePlace } from "./cpu-shares.ts";
import { type News, Outbox } from "./outbox.ts";
import { SwitchLink } from "./switch-link.ts";
import { toWire, type WireError } from "./wire-error.ts";

/** A network device of a hosted guest may name a switch in place of a backend. */
export interface SwitchNet {
  switch?: string;
  backend?: unknown;
}

export interface HostedConfig {
  nets?: SwitchNet[];
}

/** Options of createGuest() that cannot be sent to a worker, or are the worker's own. */
export type NotPlain = "devices" | "hypercalls" | "onOutput" | keyof GuestListeners;

export type ToWorker =
  /** `ports` are those of the network devices that name a switch, in order. */
  | { type: "boot"; config: HostedConfig; ports: PortLike[]; share: SharePlace | undefined }
  | { type: "call"; id: number; name: CallName; args: unknown[] }
  | { type: "read" };

export type FromWorker =
  | { type: "booted" }
  | { type: "failed"; error: WireError }
  | { type: "answer"; id: number; value: unknown }
  | { type: "refusal"; id: number; error: WireError }
  | News
  | { type: "ended"; exit?: ExitInfo; error?: WireError };

/** What the guest tells its worker, and asks of it. */
export interface GuestListeners {
  cpuTurns: CpuShare | undefined;
  onConsole(bytes: Uint8Array): void;
  onNotice(message: string): void;
  onReset(): void;
  onRefusal(refusal: CallRefusal): void;
}

/** What a guest's worker needs of its host. */
export interface GuestWorkerHost<Config extends HostedConfig> {
  create(config: Config, listeners: GuestListeners): Promise<Guest>;
  /** Calls `step` once, some milliseconds later. */
  later(step: () => void): void;
  /** Host time in which this worker was busy, in seconds. */
  busySeconds(): number;
  /** Microseconds on a clock that all threads of the host have. */
  now(): number;
}

export function serveGuest<Config extends HostedConfig>(channel: Channel, host: GuestWorkerHost<Config>): void {
  const post = (message: FromWorker, transfer?: ArrayBuffer[]) => channel.post(message, transfer);
  const outbox = new Outbox((news) => post(news, [news.console.buffer]), host.later);
  const listeners = {
    onConsole: (bytes: Uint8Array) => outbox.console(bytes),
    onNotice: (message: string) => outbox.notice(message),
    onReset: () => outbox.reset(),
    onRefusal: (refusal: CallRefusal) => outbox.refusal(refusal),
  };
  let guest: Guest | undefined;
  let cpuTurns: CpuShare | undefined;

  const boot = async (config: Config, ports: PortLike[], share: SharePlace | undefined) => {
    if (share !== undefined) cpuTurns = new CpuShare(share, host.now);
    const rest = [...ports];
    const nets = config.nets?.map(({ switch: lan, ...net }) => {
      const port = lan === undefined ? undefined : rest.shift();
      return port === undefined ? net : { ...net, backend: new SwitchLink(portChannel(port)) };
    });
    try {
      guest = await host.create(nets === undefined ? config : { ...config, nets }, { ...listeners, cpuTurns });
    } catch (error) {
      outbox.flush();
      post({ type: "failed", error: toWire(error) });
      return;
    }
    post({ type: "booted" });
    guest.wait().then(
      (exit) => {
        outbox.flush();
        post({ type: "ended", exit });
      },
      (error) => {
        outbox.flush();
        post({ type: "ended", error: toWire(error) });
      },
    );
  };

  const times = (): HostSeconds => {
    const { ran = 0, heldBack = 0 } = cpuTurns?.seconds ?? {};
    // A thread that blocks is busy, as far as its event loop can tell.
    return { busy: Math.max(host.busySeconds() - heldBack, 0), ran, heldBack };
  };

  const call = async (id: number, name: CallName, args: unknown[]) => {
    try {
      if (guest === undefined) throw new Error("the guest is not there yet");
      const serve = CALLS[name] as (guest: Guest, ...args: unknown[]) => unknown;
      const value = await serve(guest, ...(name === "statistics" ? [times()] : args));
      post({ type: "answer", id, value });
    } catch (error) {
      post({ type: "refusal", id, error: toWire(error) });
    }
  };

  channel.listen((received) => {
    const message = received as ToWorker;
    if (message.type === "boot") void boot(message.config as Config, message.ports, message.share);
    else if (message.type === "call") void call(message.id, message.name, message.args);
    else outbox.answered();
  });
}
