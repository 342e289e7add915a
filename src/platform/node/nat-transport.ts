// The NAT's transport in Node: sockets of this process.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import dns from "node:dns";
import { createServer, isIPv6, Socket } from "node:net";
import type {
  NatAccepted,
  NatDatagramEvents,
  NatDatagrams,
  NatEndpoint,
  NatFailure,
  NatListener,
  NatStream,
  NatStreamEvents,
  NatTransport,
} from "../../backend/nat/transport.ts";
import { copyOut } from "../../backend/parts.ts";
import { OptionError } from "../../errors.ts";

const LOOPBACK = "127.0.0.1";
const DNS_PORT = 53;
/** What a segment's data is copied to on its way to a socket. */
const STAGE = 256 * 1024;
/** Bytes that may wait in a datagram socket. */
const MOST_WAITING = 1024 * 1024;
/** Datagrams that go together at most. */
const BURST = 64;
const MOST_ECHOES = 8;
const ECHO_SECONDS = 4;

const FAILURES: Record<string, NatFailure> = {
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ENETDOWN: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  EACCES: "prohibited",
  EPERM: "prohibited",
  ETIMEDOUT: "timeout",
};

function failureOf(error: NodeJS.ErrnoException, wasOpen: boolean): NatFailure {
  return FAILURES[error.code ?? ""] ?? (wasOpen ? "reset" : "refused");
}

/** Shared by all sockets: what one takes at once, as most do, is free again. */
let stage = Buffer.allocUnsafeSlow(STAGE);

/** Ends both directions with a reset, in this process's own time; resetAndDestroy() would send what waits and an end before it. */
function reset(socket: Socket): void {
  if (!socket.connecting) (socket as Socket & { resetAndClosing?: boolean }).resetAndClosing = true;
  socket.destroy();
}

function streamOf(socket: Socket, events: NatStreamEvents): NatStream {
  let failure: NatFailure | undefined;
  let wasOpen = !socket.connecting;
  let isAborted = false;
  socket.setNoDelay(true);
  socket.on("connect", () => {
    wasOpen = true;
    events.connected();
  });
  socket.on("end", () => events.ended());
  socket.on("drain", () => events.drained());
  socket.on("error", (error) => {
    failure ??= failureOf(error, wasOpen);
  });
  socket.on("close", () => {
    if (!isAborted) events.closed(failure);
  });
  return {
    write(parts, offset, length) {
      if (socket.destroyed || socket.writableEnded) return;
      for (let done = 0; done < length; ) {
        const size = Math.min(length - done, STAGE);
        copyOut(parts, offset + done, size, stage, 0);
        socket.write(stage.subarray(0, size));
        // The kernel took only some of it: the buffer is the socket's from now on.
        if (socket.writableLength > 0) stage = Buffer.allocUnsafeSlow(STAGE);
        done += size;
      }
    },
    get pending() {
      return socket.writableLength;
    },
    pause: () => {
      socket.pause();
    },
    resume: () => {
      socket.resume();
    },
    end: () => {
      socket.end();
    },
    abort: () => {
      isAborted = true;
      reset(socket);
    },
  };
}

function connect(to: NatEndpoint, events: NatStreamEvents): NatStream {
  const socket = new Socket({
    allowHalfOpen: true,
    onread: {
      buffer: () => events.space(),
      callback: (length: number) => {
        events.filled(length);
        return true;
      },
    },
  } as ConstructorParameters<typeof Socket>[0]);
  const stream = streamOf(socket, events);
  socket.connect({ host: to.address, port: to.port, autoSelectFamily: false });
  return stream;
}

/** Why a port of the host cannot be had. */
function listenError(error: NodeJS.ErrnoException, protocol: string, { address, port }: NatEndpoint): OptionError {
  const where = `${protocol} port ${port} of ${address === "0.0.0.0" ? "this host" : address}`;
  const reasons: Record<string, string> = {
    EADDRINUSE: "is in use: forward another, or 0 for one that is free",
    EACCES: "needs rights that this process does not have: forward one above 1023",
    EADDRNOTAVAIL: "is at an address that this host does not have: leave the address out, or write one of its own",
  };
  const reason = reasons[error.code ?? ""] ?? `cannot be had (${error.message}): forward another`;
  return new OptionError(`${where} ${reason}`, { cause: error });
}

function listen(at: NatEndpoint, accept: (accepted: NatAccepted) => void): Promise<NatListener> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const from = { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    accept({
      from,
      open(events) {
        const stream = streamOf(socket, events);
        socket.on("data", (bytes) => events.data(bytes as Buffer));
        socket.resume();
        return stream;
      },
      refuse: () => {
        socket.on("error", () => {});
        reset(socket);
      },
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenError(error, "tcp", at)));
    server.listen({ host: at.address, port: at.port }, () => {
      server.on("error", () => {});
      server.unref();
      const address = server.address();
      resolve({
        port: typeof address === "object" && address !== null ? address.port : at.port,
        close: () => {
          server.close();
        },
      });
    });
  });
}

/**
 * Datagrams that the guest sends in a row go in a row: whoever waits for them is woken once and finds all of them, which
 * costs a fraction of waking it for each.
 */
class Outbox {
  #waiting: (() => void)[] = [];
  #willSettle = false;

  put(send: () => void): void {
    this.#waiting.push(send);
    if (this.#waiting.length >= BURST) this.settle();
    else if (!this.#willSettle) {
      // At the latest when the host's call into the guest is over.
      this.#willSettle = true;
      Promise.resolve().then(() => {
        this.#willSettle = false;
        this.settle();
      });
    }
  }

  settle(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const send of waiting) send();
  }
}

function datagramsOf(socket: UdpSocket, events: NatDatagramEvents, outbox: Outbox): NatDatagrams {
  let isClosed = false;
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    socket.close();
  };
  socket.on("message", (bytes: Buffer, from: RemoteInfo) => {
    if (!isClosed) events.received(bytes, from);
  });
  socket.on("error", () => {
    close();
    events.closed();
  });
  return {
    send(bytes, { address, port }) {
      outbox.put(() => {
        if (isClosed || socket.getSendQueueSize() > MOST_WAITING) return;
        // What the host refuses to send is lost, as a datagram may be.
        socket.send(bytes, port, address, () => {});
      });
    },
    close,
  };
}

/** Addresses are addresses here: nothing is looked up, and nothing waits for that. */
function asIs(address: string, _options: unknown, then: (error: null, address: string, family: number) => void): void {
  then(null, address, isIPv6(address) ? 6 : 4);
}

function newUdpSocket(family: 4 | 6): UdpSocket {
  return createSocket({ type: family === 6 ? "udp6" : "udp4", lookup: asIs as never });
}

function listenDatagrams(
  at: NatEndpoint,
  events: NatDatagramEvents,
  outbox: Outbox,
): Promise<NatListener & NatDatagrams> {
  const socket = newUdpSocket(4);
  return new Promise((resolve, reject) => {
    socket.once("error", (error) => reject(listenError(error, "udp", at)));
    socket.bind({ address: at.address, port: at.port, exclusive: true }, () => {
      socket.removeAllListeners("error");
      socket.unref();
      resolve({ ...datagramsOf(socket, events, outbox), port: socket.address().port });
    });
  });
}

/** "1.2.3.4", "1.2.3.4:5353", "2001:db8::1" or "[2001:db8::1]:5353", as the resolver's library tells them. */
function resolverOf(text: string): NatEndpoint {
  const match = /^\[(.+)\]:(\d+)$/.exec(text) ?? /^([^:]+):(\d+)$/.exec(text);
  return match === null ? { address: text, port: DNS_PORT } : { address: match[1], port: Number(match[2]) };
}

export function nodeNatTransport(): NatTransport {
  let echoes = 0;
  const outbox = new Outbox();
  return {
    name: "this host's sockets",
    loopback: LOOPBACK,
    takesNames: false,
    resolvers: () => dns.getServers().map(resolverOf),
    connect,
    datagrams(family, events) {
      const socket = newUdpSocket(family);
      const datagrams = datagramsOf(socket, events, outbox);
      socket.bind({ port: 0, exclusive: true });
      socket.unref();
      return datagrams;
    },
    listen,
    listenDatagrams: (at, events) => listenDatagrams(at, events, outbox),
    settle: () => outbox.settle(),
    // Sockets for ICMP are not to be had in Node: the host's own program asks, one echo at a time.
    echo(address, size, done) {
      if (echoes >= MOST_ECHOES) return true;
      echoes++;
      const program = spawn("ping", ["-n", "-q", "-c", "1", "-W", `${ECHO_SECONDS}`, "-s", `${size}`, address], {
        stdio: "ignore",
      });
      program.unref();
      const begun = performance.now();
      let isOver = false;
      const end = (milliseconds: number | undefined) => {
        if (isOver) return;
        isOver = true;
        echoes--;
        done(milliseconds);
      };
      program.on("error", () => end(undefined));
      program.on("exit", (status) => end(status === 0 ? performance.now() - begun : undefined));
      return program.pid !== undefined;
    },
    now: () => performance.now(),
    startTimer(milliseconds, then) {
      const timer = setTimeout(then, milliseconds);
      timer.unref();
      return () => clearTimeout(timer);
    },
    random: () => randomBytes(4).readUInt32LE(),
    close() {},
  };
}
