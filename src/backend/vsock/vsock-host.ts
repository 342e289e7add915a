// The host's half of a guest's AF_VSOCK sockets (virtio 1.2, 5.10): which connections there
// are, packets from the guest, and packets to it. Packets of the guest are hostile: what
// belongs to no connection is answered with a reset, what breaks the rules of credit ends
// its connection, and how much the guest can make us hold is bounded.
import { VsockHeader, VsockOp, VsockShutdown, VsockType } from "../../../assembly/abi/virtio.ts";
import type { Pieces } from "../pieces.ts";
import { Connection, type Outgoing } from "./connection.ts";
import { type Addresses, HOST_CID, type PacketHeader, readHeader, resetFor, writeHeader } from "./packet.ts";
import type { VsockBackend, VsockStream } from "./vsock-backend.ts";

/** Connections, ones being closed included. */
const CONNECTIONS_MAX = 512;
/** Resets for packets without a connection that wait for room; more are dropped. */
const RESETS_MAX = 256;
/** Milliseconds that a guest may take to answer. */
const ANSWER_TIME = 10_000;
/** Ports of the host's ends of connections that the host opens. */
const FIRST_HOST_PORT = 0x4000_0000;
const HOST_PORTS = 0x3fff_ffff;

/** The way to the guest's driver. */
export interface VsockLink {
  /** Room for one packet, if the driver has any; must be given back at once. */
  room(): Pieces | undefined;
  /** The room holds `length` bytes. */
  give(length: number): void;
  startTimer(milliseconds: number, wake: () => void): () => void;
}

export class VsockHost {
  readonly #backend: VsockBackend;
  readonly #cid: bigint;
  readonly #link: VsockLink;
  readonly #connections = new Map<string, Connection>();
  /** Connections that may have something to say. */
  readonly #ready = new Set<Connection>();
  readonly #resets: PacketHeader[] = [];
  /** Streams that the guest is done with, and that still send what it wrote. */
  readonly #finishing = new Set<VsockStream>();
  /** Streams that are being opened for the guest, whether or not it still wants them. */
  #opening = 0;
  #nextHostPort = 0;
  #isPumping = false;
  #isClosed = false;

  constructor(backend: VsockBackend, cid: number, link: VsockLink) {
    this.#backend = backend;
    this.#cid = BigInt(cid);
    this.#link = link;
    backend.listen((stream, port) => this.#ask(stream, port));
  }

  /** Connections there are, for diagnostics. */
  get connections(): number {
    return this.#connections.size + this.#finishing.size + this.#opening;
  }

  /** A packet from the guest: header and payload. */
  receive(packet: Pieces): void {
    if (packet.length < VsockHeader.SIZE) return;
    const header = readHeader(packet.copy(0, VsockHeader.SIZE));
    const sound =
      header.source === this.#cid &&
      header.destination === BigInt(HOST_CID) &&
      header.type === VsockType.STREAM &&
      header.length <= packet.length - VsockHeader.SIZE;
    const connection = this.#connections.get(keyOf(header.sourcePort, header.destinationPort));
    if (!sound || connection === undefined) this.#receiveNew(header, sound);
    else {
      connection.creditFromGuest(header.bufferSize, header.forwarded);
      this.#receiveFor(connection, header, packet);
      this.#ready.add(connection);
    }
    this.pump();
  }

  #receiveNew(header: PacketHeader, sound: boolean): void {
    if (header.op === VsockOp.RST) return;
    if (!sound || header.op !== VsockOp.REQUEST || this.connections >= CONNECTIONS_MAX) {
      this.#refuse(header);
      return;
    }
    const connection = new Connection(header.sourcePort, header.destinationPort, "opening");
    connection.creditFromGuest(header.bufferSize, header.forwarded);
    this.#add(connection);
    this.#opening++;
    this.#backend.connect(header.destinationPort, (stream) => {
      this.#opening--;
      if (!this.#has(connection)) {
        stream?.destroy();
        return;
      }
      if (stream === undefined) this.#reset(connection);
      else {
        connection.opened(stream);
        this.#listen(connection, stream);
        this.#ready.add(connection);
      }
      this.pump();
    });
  }

  #receiveFor(connection: Connection, header: PacketHeader, packet: Pieces): void {
    switch (header.op) {
      case VsockOp.RST:
        this.#drop(connection);
        break;
      case VsockOp.RESPONSE:
        if (connection.state === "asking") {
          connection.cancelTimer?.();
          connection.accepted();
        } else this.#reset(connection);
        break;
      case VsockOp.SHUTDOWN:
        this.#shutDown(connection, header.flags & VsockShutdown.BOTH);
        break;
      case VsockOp.RW: {
        const mayWrite = connection.state === "open" && (connection.guestShut & VsockShutdown.SEND) === 0;
        // A stream that has closed takes nothing; the guest is told of that, or will be.
        if (connection.state === "closing") break;
        const payload = packet.copy(VsockHeader.SIZE, header.length);
        const taken =
          mayWrite &&
          connection.receive(payload, () => {
            this.#ready.add(connection);
            this.pump();
          });
        if (!taken) this.#reset(connection);
        break;
      }
      case VsockOp.CREDIT_UPDATE:
        break;
      case VsockOp.CREDIT_REQUEST:
        connection.wantsCredit();
        break;
      default: // another REQUEST, or nothing that there is
        this.#reset(connection);
        break;
    }
  }

  /** The guest ends one direction or both. Once it has ended both, the reset confirms it (5.10.6.5). */
  #shutDown(connection: Connection, flags: number): void {
    connection.guestShut |= flags;
    if ((connection.guestShut & VsockShutdown.RECEIVE) !== 0) connection.guestStoppedReading();
    if (connection.guestShut === VsockShutdown.BOTH) this.#reset(connection);
    else if ((flags & VsockShutdown.SEND) !== 0) connection.stream?.end();
  }

  /** The host has opened a stream to `port` of the guest. */
  #ask(stream: VsockStream, port: number): void {
    if (this.#isClosed || this.connections >= CONNECTIONS_MAX) {
      stream.destroy();
      return;
    }
    const hostPort = FIRST_HOST_PORT + this.#nextHostPort;
    this.#nextHostPort = (this.#nextHostPort + 1) % HOST_PORTS;
    const connection = new Connection(port, hostPort, "asking");
    connection.stream = stream;
    this.#add(connection);
    this.#listen(connection, stream);
    this.#limit(connection);
    this.#ready.add(connection);
    this.pump();
  }

  /** Gives up if the guest does not answer. */
  #limit(connection: Connection): void {
    connection.cancelTimer?.();
    connection.cancelTimer = this.#link.startTimer(ANSWER_TIME, () => {
      this.#reset(connection);
      this.pump();
    });
  }

  #listen(connection: Connection, stream: VsockStream): void {
    const changed = (note: () => void) => () => {
      if (!this.#has(connection)) return;
      note();
      this.#ready.add(connection);
      this.pump();
    };
    stream.start({
      readable: changed(() => connection.readable()),
      ended: changed(() => connection.hostEnded()),
      closed: changed(() => {
        if (connection.state === "asking") this.#reset(connection);
        else connection.hostClosed();
      }),
    });
  }

  #add(connection: Connection): void {
    this.#connections.set(keyOf(connection.guestPort, connection.hostPort), connection);
  }

  #has(connection: Connection): boolean {
    return this.#connections.get(keyOf(connection.guestPort, connection.hostPort)) === connection;
  }

  /** Ends a connection, and says so. */
  #reset(connection: Connection): void {
    if (!this.#has(connection)) return;
    this.#drop(connection);
    this.#refuse({
      source: this.#cid,
      destination: BigInt(HOST_CID),
      sourcePort: connection.guestPort,
      destinationPort: connection.hostPort,
    });
  }

  /** Ends a connection: what the guest wrote still reaches the stream. */
  #drop(connection: Connection): void {
    connection.cancelTimer?.();
    this.#connections.delete(keyOf(connection.guestPort, connection.hostPort));
    this.#ready.delete(connection);
    const { stream } = connection;
    if (stream === undefined) return;
    if (connection.state === "asking" || connection.state === "closing") {
      stream.destroy();
      return;
    }
    this.#finishing.add(stream);
    stream.start({ readable() {}, ended() {}, closed: () => this.#finishing.delete(stream) });
    stream.finish();
  }

  /** A reset answers the packet with these addresses. */
  #refuse(header: Addresses): void {
    if (this.#resets.length < RESETS_MAX) this.#resets.push(resetFor(header));
  }

  /** Gives the guest as many packets as it has room for. */
  pump(): void {
    if (this.#isPumping || this.#isClosed) return;
    this.#isPumping = true;
    try {
      while (this.#resets.length > 0) {
        const room = this.#link.room();
        if (room === undefined) return;
        room.put(0, writeHeader(this.#resets.shift() as PacketHeader));
        this.#link.give(VsockHeader.SIZE);
      }
      // In turns, one packet each.
      for (const connection of this.#ready) {
        this.#ready.delete(connection);
        const outgoing = connection.next();
        if (outgoing === undefined) continue;
        this.#ready.add(connection);
        if (!this.#send(connection, outgoing)) return;
      }
    } finally {
      this.#isPumping = false;
    }
  }

  #send(connection: Connection, outgoing: Outgoing): boolean {
    const room = this.#link.room();
    if (room === undefined) return false;
    const payload = outgoing.payload?.subarray(0, room.length - VsockHeader.SIZE);
    const length = payload?.length ?? 0;
    const header = writeHeader({
      source: BigInt(HOST_CID),
      destination: this.#cid,
      sourcePort: connection.hostPort,
      destinationPort: connection.guestPort,
      length,
      type: VsockType.STREAM,
      op: outgoing.op,
      flags: outgoing.flags,
      ...connection.bufferState,
    });
    room.put(0, header);
    if (payload !== undefined) room.put(VsockHeader.SIZE, payload);
    this.#link.give(VsockHeader.SIZE + length);
    connection.took(outgoing, length);
    if (connection.state === "closing" && outgoing.op === VsockOp.SHUTDOWN) this.#limit(connection);
    return true;
  }

  /** The guest's driver starts over: its connections are gone. */
  reset(): void {
    for (const connection of [...this.#connections.values()]) {
      this.#connections.delete(keyOf(connection.guestPort, connection.hostPort));
      connection.cancelTimer?.();
      // One that the guest was not asked about yet can wait for the new driver no more than the others.
      connection.stream?.destroy();
    }
    this.#ready.clear();
    this.#resets.length = 0;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.reset();
    for (const stream of this.#finishing) stream.destroy();
    this.#finishing.clear();
    this.#backend.close();
  }
}

function keyOf(guestPort: number, hostPort: number): string {
  return `${guestPort}:${hostPort}`;
}
