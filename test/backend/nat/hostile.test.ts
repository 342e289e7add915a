// Frames as a guest would send them who means harm: nothing throws, nothing grows without
// bound, and what is well-formed afterwards still works.
import { type AddressInfo, createServer } from "node:net";
import { afterEach, expect, it } from "vitest";
import { checksumOf } from "../../../src/backend/checksum.ts";
import { put16, put32, sumParts } from "../../../src/backend/nat/bytes.ts";
import { Nat } from "../../../src/backend/nat/nat.ts";
import { natParts, type UserNetOptions } from "../../../src/backend/nat/options.ts";
import type {
  NatDatagramEvents,
  NatEndpoint,
  NatStreamEvents,
  NatTransport,
} from "../../../src/backend/nat/transport.ts";
import { OptionError } from "../../../src/errors.ts";
import { userNet } from "../../../src/platform/node/user-net.ts";
import { arp, DNS, Flag, GUEST, HOST, ip, ipv4, pattern, pseudo, TestGuest, tcp, udp } from "./guest.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A host that nothing leaves: streams that connect, echo and end as the dice fall. */
class Nowhere implements NatTransport {
  readonly name = "nowhere";
  readonly loopback = "127.0.0.1";
  takesNames = false;
  readonly asked: NatEndpoint[] = [];
  readonly streams: NatStreamEvents[] = [];
  readonly sockets: NatDatagramEvents[] = [];
  written = 0;
  time = 0;
  open = 0;
  #timers: (() => void)[] = [];

  resolvers = () => [{ address: "192.0.2.53", port: 53 }];
  connect(to: NatEndpoint, events: NatStreamEvents) {
    this.asked.push(to);
    this.streams.push(events);
    return {
      write: (_parts: readonly Uint8Array[], _offset: number, length: number) => {
        this.written += length;
      },
      pending: 0,
      pause() {},
      resume() {},
      end() {},
      abort() {},
    };
  }
  datagrams(_family: 4 | 6, events: NatDatagramEvents) {
    this.open++;
    this.sockets.push(events);
    return { send() {}, close: () => void this.open-- };
  }
  now = () => this.time;
  startTimer(_milliseconds: number, then: () => void) {
    this.#timers.push(then);
    return () => {};
  }
  /** Time passes. */
  pass(milliseconds: number) {
    this.time += milliseconds;
    for (const then of this.#timers.splice(0)) then();
  }
  random = () => 77_777;
  close() {}
}

function start(options: UserNetOptions = {}) {
  const transport = new Nowhere();
  const nat = new Nat({ name: "test", ...natParts(options), transport });
  closers.push(() => nat.close());
  const guest = new TestGuest(nat);
  return { transport, nat, guest };
}

/** Numbers that are the same in each run. */
function dice(seed: number) {
  let state = seed;
  return (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

function syn(port: number, to = 80): Uint8Array {
  return ipv4(GUEST, HOST, 6, tcp(GUEST, port, HOST, to, { sequence: 5, flags: Flag.SYN }));
}

/** Frames that mean something. */
function corpus(): Uint8Array[] {
  const dhcp = new Uint8Array(300);
  dhcp.set([1, 1, 6, 0, 1, 2, 3, 4], 0);
  dhcp.set([0x52, 0x54, 0, 0x12, 0x34, 0x56], 28);
  dhcp.set([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 50, 4, 10, 0, 2, 15, 255], 236);
  const options = [2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0];
  return [
    arp(1, GUEST, new Uint8Array(6), HOST),
    ipv4(0, 0xffff_ffff, 17, udp(0, 68, 0xffff_ffff, 67, dhcp)),
    ipv4(GUEST, DNS, 17, udp(GUEST, 999, DNS, 53, pattern(40))),
    ipv4(GUEST, HOST, 17, udp(GUEST, 999, HOST, 7, pattern(1400))),
    ipv4(GUEST, HOST, 17, udp(GUEST, 999, HOST, 7, pattern(1400)).subarray(0, 800), 0x2000),
    ipv4(GUEST, HOST, 17, udp(GUEST, 999, HOST, 7, pattern(1400)).subarray(800), 100),
    ipv4(GUEST, HOST, 1, Uint8Array.of(8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1)),
    ipv4(GUEST, ip("192.0.2.1"), 6, tcp(GUEST, 1, ip("192.0.2.1"), 2, { sequence: 9, flags: Flag.SYN, options })),
    syn(7),
    ipv4(GUEST, HOST, 6, tcp(GUEST, 7, HOST, 80, { sequence: 6, acknowledgment: 77_778, flags: Flag.ACK })),
    ipv4(
      GUEST,
      HOST,
      6,
      tcp(GUEST, 7, HOST, 80, { sequence: 6, acknowledgment: 77_778, flags: Flag.ACK, data: pattern(900) }),
    ),
    ipv4(
      GUEST,
      HOST,
      6,
      tcp(GUEST, 7, HOST, 80, { sequence: 906, acknowledgment: 77_778, flags: Flag.ACK | Flag.FIN }),
    ),
    ipv4(GUEST, HOST, 6, tcp(GUEST, 7, HOST, 80, { sequence: 6, flags: Flag.RST })),
  ];
}

/** Makes the sums right again, so that what was changed is looked at. */
function repair(frame: Uint8Array): void {
  if (frame.length < 34 || (frame[14] & 15) < 5) return;
  const header = (frame[14] & 15) * 4;
  if (14 + header > frame.length) return;
  put16(frame, 24, 0);
  put16(frame, 24, checksumOf(sumParts([frame], 14, header)));
  const at = 14 + header;
  const length = ((frame[16] << 8) | frame[17]) - header;
  const sumAt = { 6: 16, 17: 6, 1: 2 }[frame[23]];
  if (sumAt === undefined || length < sumAt + 2 || at + length > frame.length) return;
  put16(frame, at + sumAt, 0);
  const source = ((frame[26] << 24) | (frame[27] << 16) | (frame[28] << 8) | frame[29]) >>> 0;
  const to = ((frame[30] << 24) | (frame[31] << 16) | (frame[32] << 8) | frame[33]) >>> 0;
  const base = frame[23] === 1 ? 0 : pseudo(source, to, frame[23], length);
  put16(frame, at + sumAt, checksumOf(base + sumParts([frame], at, length)));
}

it("survives random and mutated frames, with sums right and wrong", async () => {
  const roll = dice(4711);
  const rounds = process.env.PARAVANE_LONG === "1" ? 1_000_000 : 60_000;
  const { transport, nat, guest } = start();
  const frames = corpus();
  guest.connections.length = 0;
  for (let round = 0; round < rounds; round++) {
    let frame: Uint8Array = frames[roll(frames.length)].slice();
    if (roll(20) === 0) {
      frame = new Uint8Array(14 + roll(200));
      for (let i = 0; i < frame.length; i++) frame[i] = roll(256);
      if (roll(2) === 0) put16(frame, 12, 0x0800);
    }
    for (let changes = roll(5); changes > 0; changes--) {
      const at = roll(4) === 0 ? roll(frame.length) : 12 + roll(Math.min(frame.length - 12, 60));
      frame[at] = roll(3) === 0 ? [0, 255, 127, 128][roll(4)] : roll(256);
    }
    if (roll(6) === 0) frame = frame.subarray(0, 14 + roll(frame.length - 13));
    if (roll(8) !== 0) repair(frame);
    const offload =
      roll(10) === 0
        ? {
            checksum: { start: 14 + roll(frame.length), offset: roll(100) },
            ...(roll(2) === 0 ? { segment: { type: 1, size: 1 + roll(2000), headerLength: roll(100) } } : {}),
          }
        : undefined;
    guest.send(
      frame,
      offload,
      [roll(60), 20 + roll(60), 80 + roll(400)].sort((a, b) => a - b),
    );
    // The host does its part.
    const stream = transport.streams[roll(transport.streams.length + 1)];
    if (stream !== undefined) {
      switch (roll(8)) {
        case 0:
          stream.connected();
          break;
        case 1:
          stream.data(pattern(roll(3000)));
          break;
        case 2: {
          const space = stream.space();
          stream.filled(Math.min(space.length, roll(5000)));
          break;
        }
        case 3:
          if (roll(4) === 0) stream.ended();
          break;
        case 4:
          if (roll(10) === 0) stream.closed(["refused", "reset", "timeout", undefined][roll(4)] as "reset");
          break;
        case 5:
          stream.drained();
          break;
      }
    }
    if (transport.streams.length > 3000) transport.streams.splice(0, 1000);
    const socket = transport.sockets[roll(transport.sockets.length + 1)];
    if (socket !== undefined && roll(4) === 0)
      socket.received(pattern(roll(9000)), { address: "192.0.2.53", port: 53 });
    if (roll(50) === 0) transport.pass(roll(30_000));
    if (roll(100) === 0) guest.giveRoom(roll(50));
    if (guest.frames.length > 1000) {
      guest.frames.length = 0;
      guest.packets.length = 0;
      await null;
    }
    if (nat.usage.connections > 1024 || nat.usage.associations > 1024) throw new Error("a table grows without bound");
  }
  transport.pass(1e9);
  transport.pass(1e9);
  guest.giveRoom();
  guest.frames.length = 0;
  guest.send(arp(1, GUEST, new Uint8Array(6), HOST));
  expect(guest.frames.length).toBeGreaterThan(0);
});

it("ignores packets from and to where nobody is", () => {
  const { transport, guest } = start();
  const data = { sequence: 1, flags: Flag.SYN };
  for (const [source, to] of [
    [HOST, HOST],
    [GUEST, GUEST],
    [ip("10.0.2.255"), HOST],
    [ip("10.0.2.0"), HOST],
    [ip("192.168.1.1"), HOST],
    [0, HOST],
    [GUEST, ip("127.0.0.1")],
    [GUEST, ip("0.0.0.1")],
    [GUEST, ip("224.0.0.1")],
    [GUEST, ip("255.255.255.255")],
    [GUEST, ip("10.0.2.255")],
  ]) {
    guest.send(ipv4(source, to, 6, tcp(source, 5, to, 5, data)));
    guest.send(ipv4(source, to, 17, udp(source, 5, to, 5, pattern(9))));
  }
  expect(transport.asked).toEqual([]);
  expect(transport.open).toBe(0);
  expect(guest.packets).toEqual([]);
});

it("ignores packets whose sums or lengths are wrong", () => {
  const { transport, guest } = start();
  const whole = syn(9);
  for (let at = 14; at < whole.length; at++) {
    const frame = whole.slice();
    frame[at] ^= 0x10;
    guest.send(frame);
  }
  for (let length = 0; length < whole.length; length++) if (length >= 14) guest.send(whole.subarray(0, length));
  expect(transport.asked).toEqual([]);
  guest.send(whole);
  expect(transport.asked.length).toBe(1);
});

it("keeps no more connections than it should, and says so once", () => {
  const { nat, guest, transport } = start();
  for (let port = 1; port <= 3000; port++) guest.send(syn(port));
  expect(nat.usage.connections).toBe(1024);
  expect(guest.notices.length).toBe(1);
  expect(guest.packets.filter(({ payload }) => payload[13] === (Flag.RST | Flag.ACK)).length).toBe(3000 - 1024);
  // Those that fail make room.
  for (const stream of transport.streams) stream.closed("refused");
  expect(nat.usage.connections).toBe(0);
});

it("keeps few fragments, for a while, and drops what overlaps", () => {
  const { guest, transport } = start();
  const datagram = udp(GUEST, 1, HOST, 7, pattern(2000));
  const piece = (at: number, end: number, identification: number) =>
    ipv4(GUEST, HOST, 17, datagram.subarray(at, end), (end < datagram.length ? 0x2000 : 0) | (at / 8), identification);
  guest.send(piece(0, 1000, 1));
  guest.send(piece(992, datagram.length, 1));
  expect(transport.open).toBe(0);
  for (let i = 0; i < 1000; i++) guest.send(piece(0, 1000, 100 + i));
  guest.send(piece(1000, datagram.length, 100));
  expect(transport.open).toBe(0);
  guest.send(piece(1000, datagram.length, 1099));
  expect(transport.open).toBe(1);
  guest.send(piece(0, 1000, 5));
  transport.time += 60_000;
  guest.send(piece(1000, datagram.length, 5));
  expect(guest.packets).toEqual([]);
});

it("bounds what a peer may make it keep for a guest that takes nothing", async () => {
  const { guest, transport, nat } = start();
  guest.send(syn(3));
  transport.streams[0].connected();
  guest.send(
    ipv4(GUEST, HOST, 6, tcp(GUEST, 3, HOST, 80, { sequence: 6, acknowledgment: 77_778, flags: Flag.ACK, window: 0 })),
  );
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 400 && nat.usage.connections > 0; i++) transport.streams[0].data(pattern(100_000));
  expect(nat.usage.connections).toBe(0);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200_000_000);
});

it("says what is wrong with its settings", () => {
  const fails = (options: UserNetOptions) => {
    try {
      natParts(options);
    } catch (error) {
      expect(error).toBeInstanceOf(OptionError);
      return (error as Error).message;
    }
    throw new Error(`${JSON.stringify(options)} was taken`);
  };
  for (const hostfwd of [
    "",
    "2222-:22",
    "tcp::2222",
    "tcp::99999-:22",
    "sctp::1-:2",
    "tcp:host:1-:2",
    "tcp::1-10.0.3.1:2",
    "tcp::1-10.0.2.2:2",
    "tcp::1-:0",
  ]) {
    expect(fails({ hostfwd: [hostfwd] })).toContain("such as tcp::2222-:22");
  }
  for (const egress of [
    "10.0.0.0/8",
    "allow:",
    "deny:10.0.0.0/33",
    "deny:tcp:all:0",
    "deny:all:9-1",
    "deny:icmp:all:5",
    "deny:all:1:2",
  ]) {
    expect(fails({ egress: [egress] })).toMatch(/egress/);
  }
  expect(fails({ egress: ["allow:all"] })).toContain("restrict=on");
  expect(fails({ egress: ["deny:all"], restrict: true })).toContain("leave egress=deny out");
  expect(fails({ net: "10.0.2.0/30" })).toContain("8 to 27 bits");
  expect(fails({ host: "10.0.3.2" })).toContain("no address of");
  expect(fails({ dns: "10.0.2.2" })).toContain("each its own");
});

it("keeps a guest that floods the host's sockets from harming others", async () => {
  const server = createServer((socket) => socket.on("error", () => {}).end("ok"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  const nat = userNet();
  closers.push(() => nat.close());
  const guest = new TestGuest(nat);
  const roll = dice(5);
  for (let i = 0; i < 3000; i++) {
    const frame = syn(1 + roll(60_000), 1 + roll(10));
    put32(frame, 38, roll(1 << 30));
    repair(frame);
    guest.send(frame);
  }
  await guest.until(() => nat.usage.connections === 0, "all of them to be refused");
  const connection = guest.connect(HOST, (server.address() as AddressInfo).port);
  await guest.until(() => connection.farEnded, "an answer");
});
