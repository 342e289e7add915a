// The API as a table: Firecracker's paths for one guest, and what is our own. Each is there at the root, for the
// guest `default`, and under /guests/{id}.
import type { GenericSchema, InferOutput } from "valibot";
import { GuestStateError } from "../../../errors.ts";
import { parsePolicy } from "../../../hypercall/policy.ts";
import { changedLimiter, changeOf, type GuestDraft } from "./draft.ts";
import type { ServedGuest, ServedGuests } from "./guests.ts";
import * as body from "./schemas.ts";
import { check, RequestError } from "./validate.ts";

export interface RouteRequest {
  guests: ServedGuests;
  /** The guest that it is about. */
  id: string;
  /** The other part of the path that is a name. */
  name: string;
  /** Parsed, not checked. */
  body: unknown;
}

/** What is answered: nothing (204), an object as JSON, or bytes as they are. */
export type Answer = undefined | Record<string, unknown> | unknown[] | Uint8Array;

export interface Route {
  method: "GET" | "PUT" | "PATCH" | "POST" | "DELETE";
  /** "{name}" is a part that is a name. */
  path: string;
  summary: string;
  /** What the body has to be. */
  body?: GenericSchema;
  serve(request: RouteRequest): Answer | Promise<Answer>;
}

const MIB = 1024 * 1024;
const STATES: Record<string, string> = {
  running: "Running",
  paused: "Paused",
  booting: "Running",
  stopping: "Running",
};

/** Firecracker's words where it has any, and ours beside them. */
export function infoOf({ id, hosted }: ServedGuest): Record<string, unknown> {
  const state = hosted?.state ?? "created";
  const error = hosted?.lastEnd?.error?.message;
  return { id, state: STATES[state] ?? "Not started", guest_state: state, app_name: "paravane", error };
}

function sameName(name: string, given: string, field: string): void {
  if (name !== given)
    throw new RequestError(400, `${field} is "${given}", and the path says "${name}": write the same`);
}

async function act({ guests, id, body: given }: RouteRequest): Promise<undefined> {
  const { action_type: action } = check(body.action, given);
  switch (action) {
    case "InstanceStart":
      await guests.start(id);
      return;
    case "InstanceStop":
    case "SendCtrlAltDel":
      await guests.started(id).stop();
      return;
    case "InstanceReset":
      await guests.started(id).reset();
      return;
    case "FlushMetrics":
      // GET /metrics is always up to date.
      guests.get(id);
  }
}

/** Says one thing of a guest that was not started. */
function part<Schema extends GenericSchema>(
  path: string,
  summary: string,
  schema: Schema,
  put: (draft: GuestDraft, value: InferOutput<Schema>) => void,
): Route {
  return {
    ...{ method: "PUT", path, summary, body: schema },
    serve({ guests, id, body: given }) {
      put(guests.draftOf(id), check(schema, given));
      return undefined;
    },
  };
}

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const firecracker: Route[] = [
  {
    method: "GET",
    path: "/",
    summary: "What the guest is doing",
    serve: ({ guests, id }) => infoOf(guests.describe(id)),
  },
  { method: "PUT", path: "/actions", summary: "Starts, stops or resets the guest", body: body.action, serve: act },
  part("/boot-source", "What the guest boots", body.bootSource, (draft, value) => {
    draft.boot = value;
  }),
  {
    method: "GET",
    path: "/machine-config",
    summary: "Harts and memory",
    serve: ({ guests, id }) => guests.describe(id).draft.machine,
  },
  part("/machine-config", "Gives harts and memory", body.machineConfig, (draft, value) => {
    draft.machine = value;
  }),
  {
    method: "PATCH",
    path: "/machine-config",
    summary: "Changes harts or memory, before the start",
    body: body.machinePatch,
    serve({ guests, id, body: given }) {
      const draft = guests.draftOf(id);
      draft.machine = { ...draft.machine, ...check(body.machinePatch, given) };
      return undefined;
    },
  },
  {
    method: "PUT",
    path: "/drives/{name}",
    summary: "Attaches a disk",
    body: body.drive,
    serve({ guests, id, name, body: given }) {
      const drive = check(body.drive, given);
      sameName(name, drive.drive_id, "drive_id");
      guests.draftOf(id).drives.set(name, drive);
      return undefined;
    },
  },
  {
    method: "PATCH",
    path: "/drives/{name}",
    summary:
      "Before the start, another file or rate limiter; after it, another rate limiter or another size: size_bytes, or that of its file",
    body: body.drivePatch,
    async serve({ guests, id, name, body: given }) {
      const { size_bytes, rate_limiter, ...patch } = check(body.drivePatch, given);
      sameName(name, patch.drive_id, "drive_id");
      const { draft, hosted } = guests.get(id);
      const drive = draft.drives.get(name);
      if (drive === undefined) throw new RequestError(404, `guest ${id} has no drive ${name}: PUT it first`);
      const limiter = rate_limiter && changedLimiter(drive.rate_limiter, "rate_limiter", rate_limiter);
      const changed = { ...drive, ...patch, ...(rate_limiter && { rate_limiter: limiter }) };
      if (hosted === undefined) {
        draft.drives.set(name, changed);
        return undefined;
      }
      if (changed.path_on_host !== drive.path_on_host) {
        throw new RequestError(
          409,
          `guest ${id} was started: of drive ${name} the size and the rate limiter can change now`,
        );
      }
      if (rate_limiter !== undefined) {
        const disk = draft.orderedDrives.indexOf(drive);
        await hosted.changeBudget(`disk${disk}`, changeOf("rate_limiter", rate_limiter));
        draft.drives.set(name, changed);
      }
      // Only the limiter was to change; a body of nothing but the name says that the file has another size.
      if (rate_limiter !== undefined && size_bytes === undefined) return undefined;
      await guests.resizeDrive(id, name, size_bytes);
      return undefined;
    },
  },
  {
    method: "PUT",
    path: "/network-interfaces/{name}",
    summary: "Attaches a network device",
    body: body.networkInterface,
    serve({ guests, id, name, body: given }) {
      const net = check(body.networkInterface, given);
      sameName(name, net.iface_id, "iface_id");
      guests.draftOf(id).interfaces.set(name, net);
      return undefined;
    },
  },
  {
    method: "PATCH",
    path: "/network-interfaces/{name}",
    summary: "Changes rate limiters, before the start or after it",
    body: body.networkInterfacePatch,
    async serve({ guests, id, name, body: given }) {
      const { iface_id, rx_rate_limiter: rx, tx_rate_limiter: tx } = check(body.networkInterfacePatch, given);
      sameName(name, iface_id, "iface_id");
      const { draft, hosted } = guests.get(id);
      const net = draft.interfaces.get(name);
      if (net === undefined) throw new RequestError(404, `guest ${id} has no interface ${name}: PUT it first`);
      const changed = {
        ...net,
        ...(rx && { rx_rate_limiter: changedLimiter(net.rx_rate_limiter, "rx_rate_limiter", rx) }),
        ...(tx && { tx_rate_limiter: changedLimiter(net.tx_rate_limiter, "tx_rate_limiter", tx) }),
      };
      if (hosted !== undefined && (rx !== undefined || tx !== undefined)) {
        const number = [...draft.interfaces.keys()].indexOf(name);
        await hosted.changeBudget(`net${number}`, {
          ...(tx && changeOf("tx_rate_limiter", tx)),
          ...(rx && { receive: changeOf("rx_rate_limiter", rx) }),
        });
      }
      draft.interfaces.set(name, changed);
      return undefined;
    },
  },
  part("/vsock", "Sockets between guest and host", body.vsock, (draft, value) => {
    draft.vsock = value;
  }),
  part("/balloon", "Gives the guest a memory balloon", body.balloon, (draft, value) => {
    draft.balloon = value;
  }),
  {
    method: "PATCH",
    path: "/balloon",
    summary: "Asks the guest for memory, or gives it back",
    body: body.balloonPatch,
    async serve({ guests, id, body: given }) {
      const { amount_mib } = check(body.balloonPatch, given);
      const { draft } = guests.get(id);
      if (draft.balloon === undefined)
        throw new RequestError(400, `guest ${id} has no balloon: PUT one before the start`);
      await guests.started(id).setBalloon(amount_mib * MIB);
      draft.balloon = { ...draft.balloon, amount_mib };
      return undefined;
    },
  },
  {
    method: "GET",
    path: "/balloon/statistics",
    summary: "How the guest uses its memory, in bytes",
    serve: async ({ guests, id }) => ({ ...(await guests.started(id).memoryStats()) }),
  },
  {
    method: "PATCH",
    path: "/vm",
    summary: "Pauses or resumes the guest",
    body: body.vmState,
    async serve({ guests, id, body: given }) {
      const { state } = check(body.vmState, given);
      await (state === "Paused" ? guests.started(id).pause() : guests.started(id).resume());
      return undefined;
    },
  },
  {
    method: "GET",
    path: "/vm/config",
    summary: "All that the guest is made of",
    serve: ({ guests, id }) => guests.get(id).draft.show(),
  },
];

const own: Route[] = [
  {
    method: "PUT",
    path: "/policy",
    summary: "What the guest may call and have, and how much of it: see the README of src/hypercall",
    serve({ guests, id, body: given }) {
      guests.draftOf(id).policy = parsePolicy(given);
      return undefined;
    },
  },
  {
    method: "POST",
    path: "/exec",
    summary: "Runs a command in the guest, and answers when it has ended",
    body: body.command,
    async serve({ guests, id, body: given }) {
      const { command, stdin, timeout_ms: timeout } = check(body.command, given);
      const input = stdin === undefined ? undefined : new TextEncoder().encode(stdin);
      const { status, stdout, stderr } = await guests
        .started(id)
        .exec(command, { stdin: input, timeout, outputLimit: 4 * MIB });
      return { status, stdout: textOf(stdout), stderr: textOf(stderr) };
    },
  },
  {
    method: "GET",
    path: "/console",
    summary: "The last 64 KiB of the consoles' output, as it is",
    serve: ({ guests, id }) => guests.started(id).consoleTail,
  },
  {
    method: "PUT",
    path: "/console",
    summary: "Types on the console",
    body: body.consoleInput,
    async serve({ guests, id, body: given }) {
      await guests.started(id).write(check(body.consoleInput, given).data);
      return undefined;
    },
  },
  {
    method: "GET",
    path: "/counters",
    summary: "Exits so far, by cause",
    serve: async ({ guests, id }) =>
      (await guests.started(id).counters()).map((it) => ({ ...it, count: Number(it.count) })),
  },
];

/** About one guest. */
export const GUEST_ROUTES: readonly Route[] = [...firecracker, ...own];

/** What an error of the library's is as a status. */
export function statusOf(error: unknown): number {
  if (error instanceof RequestError) return error.status;
  return error instanceof GuestStateError ? 409 : 400;
}
