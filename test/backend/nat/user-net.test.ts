// The NAT on this host's sockets, with servers on its loopback.
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { get16, get32 } from "../../../src/backend/nat/bytes.ts";
import type { Nat } from "../../../src/backend/nat/nat.ts";
import type { UserNetOptions } from "../../../src/backend/nat/options.ts";
import { OptionError } from "../../../src/errors.ts";
import { userNet } from "../../../src/platform/node/user-net.ts";
import { arp, DNS, Flag, GUEST, HOST, ip, ipv4, MAC, pattern, TestGuest, tcp, udp } from "./guest.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function start(options: UserNetOptions = {}): Promise<{ nat: Nat; guest: TestGuest }> {
  const nat = userNet(options);
  closers.push(() => nat.close());
  await nat.prepare();
  return { nat, guest: new TestGuest(nat) };
}

async function serve(onSocket: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function bindUdp(onMessage: (socket: UdpSocket, bytes: Buffer, port: number) => void): Promise<number> {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, from) => onMessage(socket, bytes, from.port));
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  closers.push(() => socket.close());
  return socket.address().port;
}

function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  expect(Buffer.compare(actual, expected)).toBe(0);
}

describe("neighbours", () => {
  it("answers for the gateway and the DNS server, and for nobody else", async () => {
    const { guest } = await start();
    for (const target of [HOST, DNS, ip("10.0.2.4"), GUEST, ip("8.8.8.8")]) {
      guest.send(arp(1, GUEST, new Uint8Array(6), target));
    }
    expect(guest.frames.map((frame) => get32(frame, 28))).toEqual([HOST, DNS]);
    expect(guest.frames[0].subarray(0, 6)).toEqual(MAC);
    expect(get16(guest.frames[0], 20)).toBe(2);
    expect(get32(guest.frames[0], 38)).toBe(GUEST);
  });

  it("answers pings itself, and says of IPv6 nothing", async () => {
    const { guest } = await start();
    const message = Uint8Array.of(8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1);
    guest.send(ipv4(GUEST, HOST, 1, message));
    guest.send(ipv4(GUEST, DNS, 1, message));
    guest.send(ipv4(GUEST, HOST, 1, Uint8Array.of(8, 0, 1, 1, 0x12, 0x34, 0, 1)));
    expect(guest.packets.map((it) => [it.source, it.protocol, it.payload[0]])).toEqual([
      [HOST, 1, 0],
      [DNS, 1, 0],
    ]);
    const router = new Uint8Array(70);
    router.set([0x33, 0x33, 0, 0, 0, 2], 0);
    router.set([0x86, 0xdd, 0x60], 12);
    guest.send(router);
    expect(guest.frames.length).toBe(2);
  });
});

describe("DHCP", () => {
  function message(type: number, options: readonly number[] = [], mac = MAC): Uint8Array {
    const bytes = new Uint8Array(300);
    bytes.set([1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef], 0);
    bytes.set(mac, 28);
    bytes.set([0x63, 0x82, 0x53, 0x63, 53, 1, type, ...options, 255], 236);
    return ipv4(0, 0xffff_ffff, 17, udp(0, 68, 0xffff_ffff, 67, bytes));
  }
  function options(payload: Uint8Array): Map<number, number[]> {
    const found = new Map<number, number[]>();
    for (let at = 8 + 240; payload[at] !== 255; at += 2 + payload[at + 1]) {
      found.set(payload[at], [...payload.subarray(at + 2, at + 2 + payload[at + 1])]);
    }
    return found;
  }

  it("offers and acknowledges 10.0.2.15, with where everything is", async () => {
    const { guest } = await start();
    guest.send(message(1));
    guest.send(message(3, [50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 2]));
    expect(guest.packets.length).toBe(2);
    for (const [number, type] of [2, 5].entries()) {
      const { payload, source, destination, frame } = guest.packets[number];
      expect([source, destination]).toEqual([HOST, GUEST]);
      expect(frame.subarray(0, 6)).toEqual(MAC);
      expect([get16(payload, 0), get16(payload, 2)]).toEqual([67, 68]);
      expect(get32(payload, 8 + 4)).toBe(0xdead_beef);
      expect(get32(payload, 8 + 16)).toBe(GUEST);
      const told = options(payload);
      expect(told.get(53)).toEqual([type]);
      expect(told.get(1)).toEqual([255, 255, 255, 0]);
      expect(told.get(3)).toEqual([10, 0, 2, 2]);
      expect(told.get(6)).toEqual([10, 0, 2, 3]);
      expect(told.get(26)).toEqual([1500 >> 8, 1500 & 255]);
      expect(told.get(54)).toEqual([10, 0, 2, 2]);
      expect(told.get(51)).toEqual([0, 1, 0x51, 0x80]);
    }
  });

  it("gives each its own, refuses what is another's, and forgets what is released", async () => {
    const { guest } = await start();
    const other = Uint8Array.of(0x52, 0x54, 0, 0, 0, 9);
    guest.send(message(3, [50, 4, 10, 0, 2, 15]));
    guest.send(message(3, [50, 4, 10, 0, 2, 15], other));
    expect(options(guest.packets[1].payload).get(53)).toEqual([6]);
    expect(guest.packets[1].destination).toBe(0xffff_ffff);
    guest.send(message(1, [], other));
    expect(get32(guest.packets[2].payload, 8 + 16)).toBe(GUEST + 1);
    guest.send(message(7, [], MAC));
    guest.send(message(7, [], other));
    guest.send(message(3, [50, 4, 10, 0, 2, 15], other));
    expect(options(guest.packets[3].payload).get(53)).toEqual([5]);
  });

  it("tells no way out where there is none, and other addresses where they are others", async () => {
    const { guest } = await start({ restrict: true });
    guest.send(message(1));
    expect([...options(guest.packets[0].payload).keys()]).not.toContain(3);
    const { guest: second } = await start({ net: "192.168.7.0/24", host: "192.168.7.1", dhcpstart: "192.168.7.100" });
    second.send(message(1));
    expect(get32(second.packets[0].payload, 8 + 16)).toBe(ip("192.168.7.100"));
    expect(options(second.packets[0].payload).get(6)).toEqual([192, 168, 7, 3]);
  });
});

describe("TCP to the host", () => {
  it("carries bytes both ways, in segments that nobody has cut or summed up", async () => {
    const sent = pattern(3_000_000);
    const got: Buffer[] = [];
    let peer: string | undefined;
    const port = await serve((socket) => {
      peer = socket.remoteAddress;
      socket.on("data", (bytes) => got.push(bytes));
      socket.on("end", () => socket.end(sent));
    });
    const { nat, guest } = await start();
    const connection = guest.connect(HOST, port);
    await guest.until(() => connection.state === "open", "a connection");
    await connection.sendAll(sent);
    connection.end();
    await guest.until(() => connection.farEnded, "the end");
    expectSame(Buffer.concat(got), sent);
    expectSame(connection.bytes, sent);
    expect(connection.repeated).toBe(0);
    expect(guest.packets.some(({ payload }) => payload.length > 60_000)).toBe(true);
    expect(peer).toBe("127.0.0.1");
    await guest.until(() => nat.usage.connections === 0, "the connection's end");
  });

  it("makes the guest wait for a host that does not read, and loses nothing", async () => {
    const sent = pattern(12_000_000);
    let total = 0;
    let hash = 0;
    let server!: Socket;
    const port = await serve((socket) => {
      server = socket;
      socket.pause();
      socket.on("data", (bytes) => {
        for (const byte of bytes) hash = (hash * 31 + byte) | 0;
        total += bytes.length;
      });
      socket.pause();
    });
    const { guest } = await start();
    const connection = guest.connect(HOST, port);
    await guest.until(() => connection.state === "open", "a connection");
    let stuck = 0;
    let at = 0;
    while (at < sent.length) {
      const length = Math.min(65_000, sent.length - at, connection.room);
      if (length <= 0) {
        if (++stuck > 20) break;
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      connection.send(sent.subarray(at, at + length));
      at += length;
      if (at % 10 === 0) await new Promise(setImmediate);
    }
    expect(connection.room).toBe(0);
    expect(guest.packets.length).toBeLessThan(1000);
    expect(at).toBeLessThan(sent.length);
    server.resume();
    await connection.sendAll(sent.subarray(at));
    await guest.until(() => total === sent.length, "all bytes");
    let expected = 0;
    for (const byte of sent) expected = (expected * 31 + byte) | 0;
    expect(hash).toBe(expected);
  });

  it("waits for a guest that does not read, or has no room, and loses nothing", async () => {
    const sent = pattern(5_000_000, 3);
    const port = await serve((socket) => socket.end(sent));
    const { guest } = await start();
    const connection = guest.connect(HOST, port, { window: 100_000, scale: 2, acknowledges: false });
    await guest.until(() => connection.receivedLength > 98_000, "a window full");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(connection.receivedLength).toBeLessThanOrEqual(100_000);
    // Now with little room for frames, and none at times.
    connection.acknowledges = true;
    guest.room = 0;
    connection.acknowledge();
    const feed = setInterval(() => guest.giveRoom(3), 1);
    await guest.until(() => connection.farEnded, "the end");
    clearInterval(feed);
    expectSame(connection.bytes, sent);
  });

  it("asks whether a window has opened, and sends again what was lost", async () => {
    const port = await serve((socket) => socket.end("hello, guest"));
    const { guest } = await start();
    const connection = guest.connect(HOST, port, { window: 0, scale: 0 });
    await guest.until(() => connection.state === "open", "a connection");
    const before = guest.packets.length;
    await guest.until(() => guest.packets.length > before, "a probe");
    // The window opens, but word of it is lost: the next probe's answer tells.
    connection.window = 100_000;
    await guest.until(() => connection.farEnded, "the data");
    expect(Buffer.from(connection.bytes).toString()).toBe("hello, guest");
    const forgetful = guest.connect(HOST, port);
    await guest.until(() => forgetful.farEnded, "the data again");
    const third = guest.connect(HOST, port, { acknowledges: false });
    await guest.until(() => third.farEnded, "the data a third time");
    await guest.until(() => third.repeated > 0, "the same, since nobody acknowledges");
    expect(Buffer.from(third.bytes).toString()).toBe("hello, guest");
  });

  it("sends again at once when the guest says thrice that something is missing", async () => {
    let server!: Socket;
    const port = await serve((socket) => {
      server = socket;
    });
    const { guest } = await start();
    const connection = guest.connect(HOST, port, { acknowledges: false });
    await guest.until(() => server !== undefined && connection.state === "open", "a connection");
    server.write("one");
    await guest.until(() => connection.receivedLength === 3, "data");
    connection.received = [];
    connection.receivedLength = 0;
    connection.expected -= 3;
    for (let i = 0; i < 3; i++) connection.acknowledge();
    await new Promise(setImmediate);
    expect(connection.receivedLength).toBe(3);
  });

  it("lets either end close first, and go on the other way", async () => {
    const port = await serve((socket) => {
      let text = "";
      socket.on("data", (bytes) => {
        text += bytes;
        if (text === "begin") socket.end("bye");
        if (text === "begin, and more") socket.destroy();
      });
    });
    const { nat, guest } = await start();
    const connection = guest.connect(HOST, port);
    await guest.until(() => connection.state === "open", "a connection");
    connection.send(Buffer.from("begin"));
    await guest.until(() => connection.farEnded, "the host's end");
    connection.send(Buffer.from(", and more"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    connection.end();
    await guest.until(() => nat.usage.connections === 0, "the connection's end");
  });

  it("passes resets on, both ways", async () => {
    let reset = 0;
    const port = await serve((socket) => {
      socket.on("error", () => reset++);
      socket.on("data", (bytes) => {
        if (bytes.toString() === "reset") socket.resetAndDestroy();
      });
    });
    const { nat, guest } = await start();
    const first = guest.connect(HOST, port);
    await guest.until(() => first.state === "open", "a connection");
    first.send(Buffer.from("reset"));
    await guest.until(() => first.state === "reset", "a reset");
    const second = guest.connect(HOST, port);
    await guest.until(() => second.state === "open", "a connection");
    // One with another number in the window only makes the NAT ask.
    second.put({ flags: Flag.RST, sequence: second.sequence + 5 });
    expect(nat.usage.connections).toBe(1);
    second.put({ flags: Flag.RST });
    expect(nat.usage.connections).toBe(0);
    await guest.until(() => reset === 1, "a reset of the host's socket");
  });

  it("says of a port where nobody listens that nobody does", async () => {
    const port = await serve(() => {});
    closers.pop()?.();
    const { nat, guest } = await start();
    const connection = guest.connect(HOST, port);
    await guest.until(() => connection.state === "reset", "a refusal");
    expect(nat.usage.connections).toBe(0);
    // A segment of no connection, likewise.
    guest.send(ipv4(GUEST, HOST, 6, tcp(GUEST, 5, HOST, 6, { flags: Flag.ACK, sequence: 77, acknowledgment: 99 })));
    const { payload } = guest.packets[guest.packets.length - 1];
    expect([payload[13], get32(payload, 4)]).toEqual([Flag.RST, 99]);
  });

  it("lets a connection with the same ports follow at once", async () => {
    const port = await serve((socket) => socket.end("x"));
    const { guest } = await start();
    const connection = guest.connect(HOST, port);
    await guest.until(() => connection.farEnded, "the host's end");
    connection.end();
    connection.received = [];
    connection.farEnded = false;
    connection.state = "opening";
    connection.sequence = 5_000_000;
    connection.sendSyn();
    await guest.until(() => connection.farEnded, "the end of the second");
    expect(Buffer.from(connection.bytes).toString()).toBe("x");
  });
});

describe("UDP", () => {
  it("goes to the host's loopback and back, also in datagrams that need fragments", async () => {
    const port = await bindUdp((socket, bytes, from) => socket.send(bytes, from, "127.0.0.1"));
    const { nat, guest } = await start();
    guest.sendUdp(3000, HOST, port, Buffer.from("ping"));
    const answer = await guest.until(() => guest.packets[0], "an answer");
    expect(Buffer.from(answer.payload.subarray(8)).toString()).toBe("ping");
    expect([answer.source, get16(answer.payload, 0), get16(answer.payload, 2)]).toEqual([HOST, port, 3000]);
    expect(nat.usage.associations).toBe(1);

    const data = pattern(9000);
    const datagram = udp(GUEST, 3000, HOST, port, data);
    const pieces = [4000, 0, 8000];
    for (const at of pieces) {
      const more = at === 8000 ? 0 : 0x2000;
      guest.send(ipv4(GUEST, HOST, 17, datagram.subarray(at, at + 4000), more | (at / 8), 99));
    }
    await guest.until(() => guest.packets.length >= 1 + 7, "seven fragments");
    const back = new Uint8Array(datagram.length);
    for (const { fragment, payload } of guest.packets.slice(1)) back.set(payload, (fragment & 0x1fff) * 8);
    expectSame(back.subarray(8), data);
  });

  it("carries a burst whole and in order, more than goes at once, from two sockets", async () => {
    const got: string[] = [];
    const port = await bindUdp((_socket, bytes) => got.push(Buffer.from(bytes).toString()));
    const { nat, guest } = await start();
    const sent = Array.from({ length: 150 }, (_, i) => `${i}`);
    sent.forEach((text, i) => {
      guest.sendUdp(3000 + (i & 1), HOST, port, Buffer.from(text));
    });
    nat.settle();
    await guest.until(() => got.length === sent.length || undefined, "150 datagrams");
    // What comes of each socket is in order.
    for (const which of [0, 1]) {
      expect(got.filter((text) => (Number(text) & 1) === which)).toEqual(
        sent.filter((text) => (Number(text) & 1) === which),
      );
    }
    expect(nat.usage.associations).toBe(2);
    // Nobody need settle it, and what waits when the network ends is gone.
    guest.sendUdp(3000, HOST, port, Buffer.from("last"));
    await guest.until(() => got.at(-1) === "last" || undefined, "one more");
    guest.sendUdp(3000, HOST, port, Buffer.from("too late"));
    nat.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(got.at(-1)).toBe("last");
  });

  it("asks the host's resolver for the guest", async () => {
    const port = await bindUdp((socket, bytes, from) => socket.send(Buffer.concat([bytes, bytes]), from, "127.0.0.1"));
    const { setServers, getServers } = await import("node:dns");
    const before = getServers();
    setServers([`127.0.0.1:${port}`]);
    closers.push(() => setServers(before));
    const { guest } = await start();
    guest.sendUdp(4000, DNS, 53, Buffer.from("who?"));
    const answer = await guest.until(() => guest.packets[0], "an answer");
    expect([answer.source, get16(answer.payload, 0)]).toEqual([DNS, 53]);
    expect(Buffer.from(answer.payload.subarray(8)).toString()).toBe("who?who?");
    guest.sendUdp(4000, DNS, 54, Buffer.from("who?"));
    expect(guest.packets[1].payload.subarray(0, 2)).toEqual(Uint8Array.of(3, 3));
  });

  it("keeps no more sockets than it should", async () => {
    const { nat, guest } = await start();
    for (let port = 1; port <= 600; port++) guest.sendUdp(port, HOST, 9, Uint8Array.of(1));
    expect(nat.usage.associations).toBe(512);
  });
});

describe("forwarded ports", () => {
  it("lead into the guest, by TCP", async () => {
    const { nat, guest } = await start({ hostfwd: ["tcp:127.0.0.1:0-:22"] });
    expect(guest.notices[0]).toContain(`${nat.forwards[0].hostPort}`);
    guest.listen(22);
    const sent = pattern(700_000, 9);
    const client = connect({ host: "127.0.0.1", port: nat.forwards[0].hostPort, allowHalfOpen: true });
    const got: Buffer[] = [];
    client.on("data", (bytes) => got.push(bytes));
    client.end(sent);
    const server = await guest.until(() => guest.connections[0], "a connection");
    expect([server.far, server.port]).toEqual([HOST, 22]);
    await guest.until(() => server.farEnded, "all bytes");
    expectSame(server.bytes, sent);
    await server.sendAll(sent);
    const closed = new Promise((resolve) => client.on("close", resolve));
    server.end();
    await closed;
    expectSame(Buffer.concat(got), sent);
  });

  it("lead into the guest, by UDP, and out again", async () => {
    const { nat, guest } = await start({ hostfwd: ["udp:127.0.0.1:0-:53"] });
    guest.send(arp(2, GUEST, MAC, HOST));
    const client = createSocket("udp4");
    closers.push(() => client.close());
    const answer = new Promise<string>((resolve) => client.on("message", (bytes) => resolve(bytes.toString())));
    client.send("hello", nat.forwards[0].hostPort, "127.0.0.1");
    const got = await guest.until(() => guest.packets[0], "a datagram");
    expect([got.source, get16(got.payload, 2)]).toEqual([HOST, 53]);
    guest.sendUdp(53, HOST, get16(got.payload, 0), Buffer.from("hello yourself"));
    expect(await answer).toBe("hello yourself");
  });

  it("are refused before there is a guest if they are taken", async () => {
    const port = await serve(() => {});
    const nat = userNet({ hostfwd: [`tcp:127.0.0.1:${port}-:22`] });
    closers.push(() => nat.close());
    await expect(nat.prepare()).rejects.toThrow(OptionError);
    await expect(nat.prepare()).rejects.toThrow(/in use/);
  });

  it("reset who calls while the guest listens nowhere", async () => {
    const { nat } = await start({ hostfwd: ["tcp:127.0.0.1:0-:22"] });
    const guest = new TestGuest(nat);
    const client = connect({ host: "127.0.0.1", port: nat.forwards[0].hostPort });
    const failed = new Promise<Error>((resolve) => client.on("error", resolve));
    const syn = await guest.until(() => guest.packets.find(({ protocol }) => protocol === 6), "a SYN");
    guest.send(
      ipv4(
        GUEST,
        HOST,
        6,
        tcp(GUEST, 22, HOST, get16(syn.payload, 0), {
          sequence: 0,
          acknowledgment: get32(syn.payload, 4) + 1,
          flags: Flag.RST | Flag.ACK,
        }),
      ),
    );
    expect((await failed).message).toContain("ECONNRESET");
  });
});

describe("what the guest may reach", () => {
  it("is nothing with restrict=on, but forwarded ports", async () => {
    const port = await serve(() => {});
    const { nat, guest } = await start({ restrict: true, hostfwd: ["tcp:127.0.0.1:0-:22"] });
    guest.connect(HOST, port);
    guest.sendUdp(1, HOST, port, Uint8Array.of(1));
    guest.sendUdp(1, DNS, 53, Uint8Array.of(1));
    guest.send(ipv4(GUEST, HOST, 1, Uint8Array.of(8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1)));
    expect(guest.packets.map(({ payload }) => [payload[0], payload[1]])).toEqual(Array(4).fill([3, 13]));
    expect(nat.usage).toEqual({ connections: 0, associations: 0 });
    guest.listen(22);
    connect({ host: "127.0.0.1", port: nat.forwards[0].hostPort }).on("error", () => {});
    await guest.until(() => guest.connections[1]?.state === "open", "a connection into the guest");
  });

  it("is what rules say, the first that fits", async () => {
    const port = await serve(() => {});
    const { guest } = await start({ egress: [`allow:tcp:host:${port}`, "deny:host", "deny:udp:10.0.0.0/8:1-99"] });
    const allowed = guest.connect(HOST, port);
    await guest.until(() => allowed.state === "open", "a connection");
    guest.connect(HOST, port === 1 ? 2 : 1);
    expect(guest.packets.at(-1)?.payload.subarray(0, 2)).toEqual(Uint8Array.of(3, 13));
  });
});
