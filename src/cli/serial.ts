// The guest's second serial port on the command line: a Unix socket for one program at a time, or
// a file that gets what the guest says.
import { writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Server, Socket } from "node:net";
import { OptionError } from "../errors.ts";
import type { Guest, GuestPort } from "../guest/guest.ts";
import { listenOn } from "../platform/node/unix-socket.ts";
import type { SerialArgument } from "./serial-option.ts";
import { say } from "./status.ts";

/** Bytes for a guest that does not take them. */
const MOST_WAITING = 256 * 1024;

/** The host's end of a serial port: ready before there is a guest. */
export interface SerialEnd {
  connect(guest: Guest): void;
  close(): void;
}

/** While `stream` is full the guest stands still. */
function writeTo(stream: Socket, bytes: Uint8Array, guest: Guest): void {
  if (stream.destroyed || stream.write(bytes) || guest.isPaused) return;
  guest.pause();
  const goOn = () => {
    stream.off("drain", goOn).off("close", goOn);
    guest.resume();
  };
  stream.on("drain", goOn).on("close", goOn);
}

/** What a program says goes to the guest. One that the guest does not take waits, but not at once: whoever is not read is not seen to go. */
function pass(socket: Socket, port: GuestPort): void {
  let waiting = 0;
  socket.on("data", (bytes) => {
    waiting += bytes.length;
    if (waiting > MOST_WAITING) socket.pause();
    port.write(bytes, () => {
      waiting -= bytes.length;
      if (waiting <= MOST_WAITING) socket.resume();
    });
  });
}

class SerialSocket implements SerialEnd {
  readonly #name: string;
  readonly #server: Server;
  #port: GuestPort | undefined;
  #client: Socket | undefined;

  constructor(name: string, server: Server) {
    this.#name = name;
    this.#server = server;
    // A program may be there before the guest is.
    server.on("connection", (socket) => this.#take(socket));
  }

  connect(guest: Guest): void {
    const port = guest.port(this.#name);
    this.#port = port;
    // As with a cable: what is said while nobody is at the other end is lost.
    port.onData((bytes) => this.#client && writeTo(this.#client, bytes, guest));
    if (this.#client !== undefined) pass(this.#client, port);
  }

  #take(socket: Socket): void {
    socket.on("error", () => {}); // "close" follows
    if (this.#client !== undefined) {
      // A cable has one other end.
      socket.destroy();
      return;
    }
    this.#client = socket;
    // Who has nothing more to say leaves, as the next one waits for the cable.
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      this.#client = undefined;
    });
    if (this.#port !== undefined) pass(socket, this.#port);
  }

  close(): void {
    this.#client?.destroy();
    this.#server.close();
  }
}

/** Written at once: nothing of it is lost, however the run ends. */
class SerialFile implements SerialEnd {
  readonly #name: string;
  readonly #path: string;
  readonly #file: FileHandle;
  #isFull = false;

  constructor(name: string, path: string, file: FileHandle) {
    this.#name = name;
    this.#path = path;
    this.#file = file;
  }

  connect(guest: Guest): void {
    guest.port(this.#name).onData((bytes) => this.#isFull || this.#write(bytes));
  }

  #write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file.fd, bytes, at);
    } catch (error) {
      this.#isFull = true;
      say(`serial ${this.#path} takes nothing more (${(error as Error).message}): make room for it`);
    }
  }

  close(): void {
    this.#file.close().catch(() => {});
  }
}

/** @throws OptionError if the socket or file cannot be made. */
export async function openSerial({ name, socket, file }: SerialArgument): Promise<SerialEnd> {
  if (socket !== undefined) return new SerialSocket(name, await listenOn("serial", socket));
  const path = file as string;
  try {
    return new SerialFile(name, path, await open(path, "w"));
  } catch (cause) {
    throw new OptionError(`serial ${path} cannot be written (${(cause as Error).message}): name another file`, {
      cause,
    });
  }
}
