// The NAT's transport where there are no sockets: streams of the Wisp protocol through a
// WebSocket, to a server that makes the connections. The client of the protocol is a library's
// (@mercuryworkshop/wisp-js), which the caller brings: its licence is not this package's.
//
// Names are resolved by the server, so the guest's DNS server invents addresses (names.ts).
// Wisp has no half-closed streams, so the guest's end closes both directions some seconds after
// it; and it has no way to make a server wait, so a stream that the guest does not
// read is given up when too much has come.
import { copyOut } from "../parts.ts";
import type {
  NatDatagramEvents,
  NatDatagrams,
  NatEndpoint,
  NatFailure,
  NatStream,
  NatStreamEvents,
  NatTransport,
} from "./transport.ts";

/** A stream of the library's. */
export interface WispStream {
  onmessage: (bytes: Uint8Array) => void;
  onclose: (reason: number) => void;
  readonly send_buffer: readonly Uint8Array[];
  send(bytes: Uint8Array): void;
  close(reason?: number): void;
}

/** A connection of the library's, as `new ClientConnection("wss://.../")` makes it. */
export interface WispConnection {
  onopen: () => void;
  onclose: () => void;
  onerror: () => void;
  readonly connected: boolean;
  readonly udp_enabled: boolean;
  create_stream(host: string, port: number, type: "tcp" | "udp"): WispStream;
  close(): void;
  /** What the library does with a message of the WebSocket's. */
  on_ws_msg(event: unknown): void;
}

/** What of the host the transport needs. */
export interface WispHost {
  now(): number;
  startTimer(milliseconds: number, then: () => void): () => void;
  random(): number;
}

/** Reasons for the end of a stream (Wisp 1.2). */
const enum Reason {
  VOLUNTARY = 0x02,
  NETWORK_ERROR = 0x03,
  INVALID = 0x41,
  UNREACHABLE = 0x42,
  TIMEOUT = 0x43,
  REFUSED = 0x44,
  BLOCKED = 0x48,
  THROTTLED = 0x49,
}

const FAILURES: Partial<Record<number, NatFailure>> = {
  [Reason.INVALID]: "unreachable",
  [Reason.UNREACHABLE]: "unreachable",
  [Reason.TIMEOUT]: "timeout",
  [Reason.REFUSED]: "refused",
  [Reason.BLOCKED]: "prohibited",
  [Reason.THROTTLED]: "prohibited",
};

/** Bytes of a message: the server counts messages, whatever is in them. */
const LARGEST_MESSAGE = 64 * 1024;
/** How often it is seen whether what waited has gone, while something does. */
const POLL = 10;
const MOST_REMOTES = 64;
/** Milliseconds that the other side has to answer after the guest has said that it will send no more. */
const HALF_CLOSED = 5000;

export function wispTransport(name: string, connection: WispConnection, host: WispHost): NatTransport {
  const whenOpen: (() => void)[] = [];
  let isOver = false;
  // A server that breaks the rules makes the library throw: it loses its connection, nobody else does.
  const take = connection.on_ws_msg.bind(connection);
  connection.on_ws_msg = (event) => {
    try {
      take(event);
    } catch {
      connection.close();
    }
  };
  const begin = () => {
    for (const action of whenOpen.splice(0)) action();
  };
  const end = () => {
    isOver = true;
    begin();
  };
  connection.onopen = begin;
  connection.onclose = end;
  connection.onerror = end;

  /** Now, or when there is a connection. */
  function later(action: () => void): void {
    if (connection.connected) action();
    else if (isOver) host.startTimer(0, action);
    else whenOpen.push(action);
  }

  function connect(to: NatEndpoint, events: NatStreamEvents): NatStream {
    let stream: WispStream | undefined;
    let isClosed = false;
    let isEnding = false;
    let isPolling = false;
    const close = (failure: NatFailure | undefined) => {
      if (isClosed) return;
      isClosed = true;
      if (failure === undefined) events.ended();
      events.closed(failure);
    };
    const finish = () => {
      if (isClosed) return;
      stream?.close(Reason.VOLUNTARY);
      close(undefined);
    };
    const poll = () => {
      isPolling = false;
      if (isClosed || stream === undefined) return;
      if (stream.send_buffer.length > 0) startPolling();
      else if (isEnding) finish();
      else events.drained();
    };
    const startPolling = () => {
      if (isPolling) return;
      isPolling = true;
      host.startTimer(POLL, poll);
    };
    const pending = () => {
      let bytes = 0;
      for (const message of stream?.send_buffer ?? []) bytes += message.length;
      return bytes;
    };
    later(() => {
      if (isClosed) return;
      if (!connection.connected) {
        close("unreachable");
        return;
      }
      stream = connection.create_stream(to.address, to.port, "tcp");
      stream.onmessage = (bytes) => {
        if (!isClosed) events.data(bytes);
      };
      stream.onclose = (reason) => close(reason === Reason.VOLUNTARY ? undefined : (FAILURES[reason] ?? "reset"));
      // The protocol does not say when the server is connected: what goes wrong there is a reset here.
      events.connected();
    });
    return {
      write(parts, offset, length) {
        if (isClosed || isEnding || stream === undefined) return;
        for (let done = 0; done < length; ) {
          const bytes = new Uint8Array(Math.min(length - done, LARGEST_MESSAGE));
          copyOut(parts, offset + done, bytes.length, bytes, 0);
          stream.send(bytes);
          done += bytes.length;
        }
        if (stream.send_buffer.length > 0) startPolling();
      },
      get pending() {
        return pending();
      },
      pause() {},
      resume() {},
      end() {
        if (isEnding || isClosed) return;
        isEnding = true;
        host.startTimer(HALF_CLOSED, poll);
      },
      abort() {
        isClosed = true;
        stream?.close(Reason.VOLUNTARY);
      },
    };
  }

  function datagrams(_family: 4 | 6, events: NatDatagramEvents): NatDatagrams | undefined {
    if (!connection.connected || !connection.udp_enabled) return undefined;
    /** A stream has one remote end. */
    const streams = new Map<string, WispStream>();
    const open = (to: NatEndpoint): WispStream => {
      const key = `${to.address} ${to.port}`;
      const known = streams.get(key);
      if (known !== undefined) return known;
      if (streams.size >= MOST_REMOTES) {
        const [oldest, stream] = streams.entries().next().value as [string, WispStream];
        streams.delete(oldest);
        stream.close(Reason.VOLUNTARY);
      }
      const stream = connection.create_stream(to.address, to.port, "udp");
      streams.set(key, stream);
      stream.onmessage = (bytes) => events.received(bytes, to);
      stream.onclose = () => {
        if (streams.get(key) === stream) streams.delete(key);
      };
      return stream;
    };
    return {
      send: (bytes, to) => open(to).send(bytes),
      close() {
        for (const stream of streams.values()) stream.close(Reason.VOLUNTARY);
        streams.clear();
      },
    };
  }

  return {
    name,
    loopback: undefined,
    takesNames: true,
    resolvers: () => [],
    connect,
    datagrams,
    now: () => host.now(),
    startTimer: (milliseconds, then) => host.startTimer(milliseconds, then),
    random: () => host.random(),
    close: () => connection.close(),
  };
}
