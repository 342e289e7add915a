// What the host's half of a guest's AF_VSOCK sockets talks to: streams of bytes, for example
// Unix sockets.

export interface VsockStreamEvents {
  /** There may be something to read. */
  readable(): void;
  /** The other side sends no more, and everything it sent was read. */
  ended(): void;
  /** The stream is gone; called once, whoever closed it. */
  closed(): void;
}

/** One stream. It keeps what its other side sends until it is read, and lets that side wait. */
export interface VsockStream {
  /** Tells of events from here on. */
  start(events: VsockStreamEvents): void;
  /** The guest has accepted a connection from the host, which has port `hostPort` there. */
  accepted?(hostPort: number): void;
  /** Takes `bytes`, which are its own from then on; `done` is called when they have left. */
  write(bytes: Uint8Array, done: () => void): void;
  /** Up to `most` bytes, or undefined if there are none now. */
  read(most: number): Uint8Array | undefined;
  /** Nothing more will be written. */
  end(): void;
  /** The same, and the stream closes when everything written has left. */
  finish(): void;
  /** Closes at once. */
  destroy(): void;
}

export interface VsockBackend {
  /** For messages: a path. */
  readonly name: string;
  /** The guest connects to port `port` of the host. Calls back once, with nothing if nobody listens there. */
  connect(port: number, opened: (stream: VsockStream | undefined) => void): void;
  /** Gives every stream that the host opens to `port` of the guest. Called once. */
  listen(opened: (stream: VsockStream, port: number) => void): void;
  /** Closes everything; nothing is called after it. */
  close(): void;
}
