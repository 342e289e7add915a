// What the NAT needs of the host: streams, datagrams, time. Node's sockets are one, a Wisp
// server behind a WebSocket another. Calls of events may come at any time but inside
// connect() and datagrams() themselves.

export interface NatEndpoint {
  /** An address, or a name where the transport takes names. */
  address: string;
  port: number;
}

/** Why there is no connection (any more). */
export type NatFailure = "refused" | "unreachable" | "prohibited" | "timeout" | "reset";

/** A connection, as the NAT sees it. */
export interface NatStream {
  /**
   * Sends `length` bytes that begin at `offset` of `parts`. They are taken before it returns,
   * however many wait: how much may wait is for the caller to see to, with `pending`.
   */
  write(parts: readonly Uint8Array[], offset: number, length: number): void;
  /** Bytes that were taken and not passed on. */
  readonly pending: number;
  /** No filled() or data() from now on, until resume(). Something that is on its way may still come. */
  pause(): void;
  resume(): void;
  /** Nothing more will be written. */
  end(): void;
  /** Ends both directions at once, as a reset does. */
  abort(): void;
}

export interface NatStreamEvents {
  connected(): void;
  /**
   * Where the next bytes are to be put, never empty; a transport that can read into a given place asks before each read,
   * and says filled() after it. Of meaning until the next call.
   */
  space(): Uint8Array;
  filled(length: number): void;
  /** Bytes from a transport that has them somewhere already. They are copied. */
  data(bytes: Uint8Array): void;
  /** The other side will send nothing more. */
  ended(): void;
  /** `pending` has become 0. */
  drained(): void;
  /** Both directions are over. Nothing comes after it. */
  closed(failure: NatFailure | undefined): void;
}

/** One socket for datagrams. */
export interface NatDatagrams {
  /** Sends `bytes`, which nobody changes any more, or drops them if too much waits; at the latest at settle(). */
  send(bytes: Uint8Array, to: NatEndpoint): void;
  close(): void;
}

export interface NatDatagramEvents {
  /** `bytes` is of meaning during the call. */
  received(bytes: Uint8Array, from: NatEndpoint): void;
  closed(): void;
}

export interface NatListener {
  /** What it listens on. */
  readonly port: number;
  close(): void;
}

export interface NatTransport {
  /** For messages. */
  readonly name: string;
  /** The host itself, which the gateway's address stands for; undefined if it cannot be reached. */
  readonly loopback: string | undefined;
  /** DNS servers, the best first. */
  resolvers(): readonly NatEndpoint[];
  /** True if connect() takes names, and there is nobody to resolve them before. */
  readonly takesNames: boolean;
  connect(to: NatEndpoint, events: NatStreamEvents): NatStream;
  /** A socket for `family`, or undefined if there can be none. */
  datagrams(family: 4 | 6, events: NatDatagramEvents): NatDatagrams | undefined;
  /** Accepts connections; rejects with an OptionError if it cannot. */
  listen?(at: NatEndpoint, accept: (stream: NatAccepted) => void): Promise<NatListener>;
  /** A socket with this address. */
  listenDatagrams?(at: NatEndpoint, events: NatDatagramEvents): Promise<NatListener & NatDatagrams>;
  /** The guest has sent all that it sends in a row: datagrams that waited for others are due. */
  settle?(): void;
  /** Asks `address` for an echo of `size` bytes: true if that could be done; `done` says after how many ms it came, if it did. */
  echo?(address: string, size: number, done: (milliseconds: number | undefined) => void): boolean;
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Calls `then` once; the result cancels it. Does not keep the process alive. */
  startTimer(milliseconds: number, then: () => void): () => void;
  /** 32 bits that nobody can guess. */
  random(): number;
  close(): void;
}

/** A connection that somebody made to a forwarded port. It is paused until open(). */
export interface NatAccepted {
  readonly from: NatEndpoint;
  open(events: NatStreamEvents): NatStream;
  refuse(): void;
}
