// `--net stream`: a wire to another program, in the framing of QEMU's `-netdev stream`, over
// TCP or a Unix socket. The other side may be passt, a QEMU guest, or another guest of ours.
import { unlinkSync } from "node:fs";
import { createServer, type Server, Socket } from "node:net";
import { NetOffload } from "../../../assembly/abi/net.ts";
import { parsePort } from "../../backend/nat/address.ts";
import { onOrOff } from "../../backend/nat/options.ts";
import type { NetBackend, NetFrame, NetGuest } from "../../backend/net.ts";
import type { NetBackendKind, NetSettings } from "../../backend/net-backends.ts";
import { FrameReader, STREAM_FRAME_MAX, writeFrame } from "../../backend/stream-frames.ts";
import { OptionError } from "../../errors.ts";

export interface StreamNetOptions {
  /** A Unix socket. Give this or `port`. */
  path?: string;
  /** A TCP port, of `host`. */
  port?: number;
  /** Default: 127.0.0.1. */
  host?: string;
  /** Waits for the other side instead of calling it. Default: false. */
  server?: boolean;
  /** Seconds after which a side that calls calls again when there is no connection. Default: 1; 0: never. */
  reconnect?: number;
}

/** Bytes that may wait for the other side, more than a connection of Linux has under way: frames after them are lost, as on any wire. */
const MOST_WAITING = 16 * 1024 * 1024;
const STAGE = 512 * 1024;

export class StreamNet implements NetBackend {
  readonly name: string;
  readonly accepts = NetOffload.NONE;
  readonly #options: StreamNetOptions;
  readonly #reader = new FrameReader();
  readonly #frame: { parts: Uint8Array[]; length: number } = { parts: [], length: 0 };
  #stage = Buffer.allocUnsafeSlow(STAGE);
  #server: Server | undefined;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #guest: NetGuest | undefined;
  #prepared: Promise<void> | undefined;
  /** What came while the guest had no room. */
  #waiting: Buffer | undefined;
  #isConnected = false;
  #isClosed = false;
  #said = "";

  /** @throws OptionError for options that cannot be. */
  constructor(options: StreamNetOptions) {
    const { path, port, host = "127.0.0.1", server = false, reconnect } = options;
    if ((path === undefined) === (port === undefined)) {
      throw new OptionError(
        "network stream needs a path or an address: write stream,path=FILE or stream,addr=HOST:PORT",
      );
    }
    if (server && reconnect !== undefined) {
      throw new OptionError("network stream: a server does not reconnect: leave reconnect out");
    }
    this.#options = { ...options, host };
    this.name = `stream ${path ?? `${host}:${port}`}`;
  }

  /** The TCP port on which a server waits. */
  get port(): number | undefined {
    const address = this.#server?.address();
    return typeof address === "object" ? address?.port : undefined;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** A server takes its address. @throws OptionError if it cannot. */
  prepare(): Promise<void> {
    this.#prepared ??= this.#options.server ? this.#listen() : Promise.resolve();
    return this.#prepared;
  }

  open(guest: NetGuest): void {
    this.#guest = guest;
    if (!this.#isConnected) guest.setLink(false);
    this.prepare().catch((error: Error) => guest.notice(error.message));
    if (!this.#options.server) this.#connect();
    else this.#socket?.resume();
  }

  send({ parts, length }: NetFrame): void {
    const socket = this.#socket;
    if (socket === undefined || !this.#isConnected || socket.writableLength > MOST_WAITING) return;
    const end = writeFrame(parts, length, this.#stage);
    socket.write(this.#stage.subarray(0, end));
    // The kernel took only some of it: the buffer is the socket's from now on.
    if (socket.writableLength > 0) this.#stage = Buffer.allocUnsafeSlow(STREAM_FRAME_MAX);
  }

  ready(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    this.#read(waiting);
    if (this.#waiting === undefined) this.#socket?.resume();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    this.#server?.close();
    this.#guest = undefined;
    this.#waiting = undefined;
  }

  #listen(): Promise<void> {
    const { path, port, host } = this.#options;
    const server = createServer((socket) => {
      // A wire has two ends: whoever comes while there is one is turned away.
      if (this.#socket !== undefined || this.#isClosed) socket.destroy();
      else this.#use(socket);
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) => {
        const reason = cause.code === "EADDRINUSE" ? "is in use" : `cannot be had (${cause.message})`;
        reject(new OptionError(`network ${this.name}: the address ${reason}: give another`, { cause }));
      });
      const listening = () => {
        server.on("error", () => {});
        server.unref();
        resolve();
      };
      if (path === undefined) server.listen({ host, port }, listening);
      else this.#freePath(path).then(() => server.listen({ path }, listening), reject);
    });
  }

  /** Removes a socket that a program left behind; one that is in use stays. */
  #freePath(path: string): Promise<void> {
    return new Promise((resolve) => {
      const probe = new Socket();
      probe.once("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ECONNREFUSED") unlinkSync(path);
        resolve();
      });
      probe.connect({ path }, () => {
        probe.destroy();
        resolve();
      });
    });
  }

  #connect(): void {
    const { path, port, host } = this.#options;
    const socket = new Socket();
    if (path === undefined) socket.connect({ host, port: port as number });
    else socket.connect({ path });
    this.#socket = socket;
    socket.once("connect", () => this.#use(socket));
    socket.once("error", (error) => this.#say(`network ${this.name} is not connected (${error.message})`));
    socket.once("close", () => this.#lost(socket));
  }

  #use(socket: Socket): void {
    this.#socket = socket;
    this.#isConnected = true;
    this.#reader.reset();
    this.#said = "";
    socket.setNoDelay(true);
    if (this.#options.server) {
      socket.on("error", () => {});
      socket.once("close", () => this.#lost(socket));
      if (this.#guest === undefined) socket.pause();
    }
    socket.on("data", (bytes) => this.#read(bytes as Buffer));
    this.#guest?.setLink(true);
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket || this.#isClosed) return;
    this.#socket = undefined;
    this.#isConnected = false;
    this.#waiting = undefined;
    this.#guest?.setLink(false);
    const { server, reconnect = 1 } = this.#options;
    if (server || reconnect === 0) return;
    this.#timer = setTimeout(() => this.#connect(), reconnect * 1000);
    this.#timer.unref();
  }

  #read(bytes: Buffer): void {
    const guest = this.#guest;
    if (guest === undefined) return;
    if (this.#waiting !== undefined) {
      this.#waiting = Buffer.concat([this.#waiting, bytes]);
      return;
    }
    const frame = this.#frame;
    let isRefused = false;
    try {
      const at = this.#reader.read(bytes, 0, (part) => {
        frame.parts[0] = part;
        frame.length = part.length;
        isRefused = !guest.deliver(frame);
        return !isRefused;
      });
      if (!isRefused) return;
      // Kept until there is room; nothing more is read meanwhile, but what has been may still come.
      this.#waiting = bytes.subarray(at);
      this.#socket?.pause();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#say(`network ${this.name}: the other side sends ${error.message}: it speaks another protocol`);
      this.#socket?.destroy();
    }
  }

  /** Once for each reason. */
  #say(message: string): void {
    if (this.#said === message) return;
    this.#said = message;
    this.#guest?.notice(message);
  }
}

function parseStream(settings: NetSettings): StreamNetOptions {
  const one = (name: string) => settings[name]?.[0];
  const options: StreamNetOptions = { path: one("path"), server: onOrOff("server", one("server")) };
  const address = one("addr");
  if (address !== undefined) {
    const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(address);
    const port = match === null ? undefined : parsePort(match[3], options.server ? 0 : 1);
    if (match === null || port === undefined) {
      throw new OptionError(`network stream: addr is "${address}": write HOST:PORT, such as 127.0.0.1:4444`);
    }
    options.host = match[1] ?? (match[2] || undefined);
    options.port = port;
  }
  const reconnect = one("reconnect");
  if (reconnect !== undefined) {
    if (!/^\d{1,4}$/.test(reconnect)) {
      throw new OptionError(`network stream: reconnect is "${reconnect}": write seconds, 0 for never`);
    }
    options.reconnect = Number(reconnect);
  }
  return options;
}

/** A wire to another program. @throws OptionError for options that cannot be. */
export function streamNet(options: StreamNetOptions): StreamNet {
  return new StreamNet(options);
}

export const STREAM_BACKEND: NetBackendKind = {
  description: "a wire to another program, such as passt or QEMU's -netdev stream",
  settings: {
    path: { description: "a Unix socket" },
    addr: { description: "HOST:PORT" },
    server: { description: "on: waits for the other side" },
    reconnect: { description: "seconds until it calls again, 1; 0: never" },
  },
  create: (settings) => streamNet(parseStream(settings)),
};
