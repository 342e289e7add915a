// A guest's AF_VSOCK sockets as Unix sockets, by Firecracker's convention. With PATH:
//
//   the guest connects to port P of the host (CID 2)    the host listens on PATH_P
//   a program of the host connects to PATH and writes   the guest listens on port P; the answer
//   "CONNECT P\n"                                       is "OK <port of the host's end>\n"
//
// and then bytes go both ways. Only what may connect to PATH is let in: its folder's and its
// own permissions say who.
import { connect as connectTo, type Server, type Socket } from "node:net";
import type { VsockBackend, VsockStream, VsockStreamEvents } from "../../backend/vsock/vsock-backend.ts";
import { listenOn } from "./unix-socket.ts";

/** "CONNECT 4294967295\n", and a carriage return for those who cannot help it. */
const LINE_MAX = 20;
const LINE_TIME = 10_000;
/** Clients that have not said yet what they want. */
const UNDECIDED_MAX = 64;

const NO_EVENTS: VsockStreamEvents = { readable() {}, ended() {}, closed() {} };

class SocketStream implements VsockStream {
  readonly #socket: Socket;
  readonly #isIncoming: boolean;
  #events = NO_EVENTS;
  #hasEnded = false;

  constructor(socket: Socket, isIncoming: boolean) {
    this.#socket = socket;
    this.#isIncoming = isIncoming;
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.#events.closed());
  }

  start(events: VsockStreamEvents): void {
    const isFirst = this.#events === NO_EVENTS;
    this.#events = events;
    if (!isFirst) return;
    this.#socket.on("readable", () => this.#events.readable());
    this.#socket.on("end", () => {
      this.#hasEnded = true;
      this.#events.ended();
    });
    if (this.#socket.destroyed) setImmediate(() => this.#events.closed());
  }

  accepted(hostPort: number): void {
    if (this.#isIncoming) this.#socket.write(`OK ${hostPort}\n`);
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.#socket.write(bytes, done);
  }

  read(most: number): Uint8Array | undefined {
    const length = Math.min(most, this.#socket.readableLength);
    if (length > 0) return (this.#socket.read(length) as Buffer | null) ?? undefined;
    // Reading at the end of what there is lets the socket notice that the other side has ended.
    if (!this.#hasEnded) this.#socket.read(0);
    return undefined;
  }

  end(): void {
    this.#socket.end();
  }

  finish(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** The first line of a client, or undefined as long as it is not whole. */
function lineOf(socket: Socket, before: Buffer): { line?: string; rest: Buffer } {
  const chunk = socket.read() as Buffer | null;
  const all = chunk === null ? before : Buffer.concat([before, chunk]);
  const end = all.indexOf(10);
  if (end < 0 || end >= LINE_MAX) return { rest: all };
  return { line: all.toString("latin1", 0, end).replace(/\r$/, ""), rest: all.subarray(end + 1) };
}

type Opened = (stream: VsockStream, port: number) => void;

class UnixVsock implements VsockBackend {
  readonly name: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #undecided = 0;
  #opened: Opened | undefined;
  #isClosed = false;

  constructor(path: string, server: Server) {
    this.name = path;
    this.#server = server;
    server.on("connection", (socket) => this.#greet(socket));
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
  }

  connect(port: number, opened: (stream: VsockStream | undefined) => void): void {
    const socket = connectTo({ path: `${this.name}_${port}`, allowHalfOpen: true });
    this.#keep(socket);
    let answered = false;
    const answer = (stream: VsockStream | undefined) => {
      if (answered || this.#isClosed) return;
      answered = true;
      opened(stream);
    };
    socket.once("connect", () => answer(new SocketStream(socket, false)));
    socket.on("error", () => answer(undefined));
  }

  listen(opened: Opened): void {
    this.#opened = opened;
  }

  #greet(socket: Socket): void {
    if (this.#isClosed || this.#undecided >= UNDECIDED_MAX) {
      socket.destroy();
      return;
    }
    this.#keep(socket);
    this.#undecided++;
    let before: Buffer = Buffer.alloc(0);
    const decide = () => {
      this.#undecided--;
      socket.off("readable", read);
      socket.off("close", decide);
      socket.setTimeout(0);
    };
    const read = () => {
      const { line, rest } = lineOf(socket, before);
      before = rest;
      if (line === undefined && rest.length < LINE_MAX) return;
      decide();
      const port = /^CONNECT ([0-9]{1,10})$/.exec(line ?? "")?.[1];
      if (port === undefined || Number(port) > 0xffff_ffff || this.#opened === undefined) {
        socket.destroy();
        return;
      }
      if (rest.length > 0) socket.unshift(rest);
      this.#opened(new SocketStream(socket, true), Number(port));
    };
    socket.on("error", () => {});
    socket.on("close", decide);
    socket.on("readable", read);
    socket.setTimeout(LINE_TIME, () => socket.destroy());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

/**
 * Listens on the Unix socket `path` for connections to a guest.
 * @throws OptionError if the socket cannot be made.
 */
export async function unixVsock(path: string): Promise<VsockBackend> {
  return new UnixVsock(path, await listenOn("vsock", path));
}
