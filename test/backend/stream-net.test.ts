// `stream`: frames over TCP and Unix sockets, with a peer that is good, one that is not, and none.
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { NetFrame, NetGuest } from "../../src/backend/net.ts";
import { flatten } from "../../src/backend/net-offload.ts";
import { FrameReader, writeFrame } from "../../src/backend/stream-frames.ts";
import { OptionError } from "../../src/errors.ts";
import { NET_BACKENDS } from "../../src/platform/node/net-backends.ts";
import { type StreamNet, type StreamNetOptions, streamNet } from "../../src/platform/node/stream-net.ts";

const folder = mkdtempSync(join(tmpdir(), "paravane-stream-"));
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

class Guest implements NetGuest {
  readonly frames: Uint8Array[] = [];
  readonly notices: string[] = [];
  readonly links: boolean[] = [];
  room = Number.POSITIVE_INFINITY;
  readonly net: StreamNet;

  constructor(options: StreamNetOptions) {
    this.net = streamNet(options);
    closers.push(() => this.net.close());
  }
  deliver(frame: NetFrame): boolean {
    if (this.room <= 0) return false;
    this.room--;
    this.frames.push(flatten(frame));
    return true;
  }
  setLink(up: boolean): void {
    this.links.push(up);
  }
  notice(message: string): void {
    this.notices.push(message);
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

function frame(number: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(number);
}

function asSent(...frames: Uint8Array[]): Buffer {
  return Buffer.concat(
    frames.map((bytes) => {
      const into = new Uint8Array(bytes.length + 4);
      writeFrame([bytes], bytes.length, into);
      return into;
    }),
  );
}

describe.each(["TCP", "a Unix socket"])("a stream over %s", (kind) => {
  it("joins two guests, whoever comes first, and again after a break", async () => {
    const path = join(folder, "wire");
    const server = new Guest(kind === "TCP" ? { port: 0, server: true } : { path, server: true });
    await server.net.prepare();
    const client = new Guest(kind === "TCP" ? { port: server.net.port, reconnect: 0.02 } : { path, reconnect: 0.02 });
    client.net.open(client);
    server.net.open(server);
    await until(() => client.net.isConnected && server.net.isConnected);
    for (let i = 0; i < 300; i++) {
      const bytes = frame(i, 14 + i * 5);
      client.net.send({ parts: [bytes.subarray(0, 7), bytes.subarray(7)], length: bytes.length });
    }
    server.net.send({ parts: [frame(9, 1514)], length: 1514 });
    await until(() => server.frames.length === 300 && client.frames.length === 1);
    expect(server.frames.every((bytes, i) => Buffer.from(bytes).equals(frame(i, 14 + i * 5)))).toBe(true);

    server.net.close();
    await until(() => client.links.at(-1) === false);
    const again = new Guest(
      kind === "TCP"
        ? { port: server.net.port ?? Number(client.net.name.split(":").pop()), server: true }
        : { path, server: true },
    );
    await again.net.prepare();
    again.net.open(again);
    await until(() => again.net.isConnected);
    client.net.send({ parts: [frame(3, 60)], length: 60 });
    await until(() => again.frames.length === 1);
    expect(client.links).toEqual([false, true, false, true]);
  });
});

it("keeps what the guest has no room for, in order, and takes no more meanwhile", async () => {
  const guest = new Guest({ port: 0, server: true });
  await guest.net.prepare();
  guest.net.open(guest);
  const peer = connect({ port: guest.net.port as number, host: "127.0.0.1" });
  closers.push(() => peer.destroy());
  guest.room = 2;
  const frames = Array.from({ length: 2000 }, (_, i) => frame(i, 1000));
  peer.write(asSent(...frames));
  await until(() => guest.frames.length === 2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(guest.frames.length).toBe(2);
  for (let i = 0; guest.frames.length < 2000 && i < 5000; i++) {
    guest.room = 7;
    guest.net.ready();
    if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(guest.frames.every((bytes, i) => bytes[0] === (i & 255))).toBe(true);
  expect(guest.frames.length).toBe(2000);
});

it("hangs up on who sends lengths that no frame has, and takes the next", async () => {
  const guest = new Guest({ port: 0, server: true });
  await guest.net.prepare();
  guest.net.open(guest);
  const call = (): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect({ port: guest.net.port as number, host: "127.0.0.1" }, () => resolve(socket));
      socket.on("error", () => {});
      closers.push(() => socket.destroy());
    });
  const first = await call();
  first.write("GET / HTTP/1.1\r\n\r\n");
  await until(() => first.destroyed || first.readableEnded || guest.notices.length > 0);
  expect(guest.notices[0]).toContain("another protocol");
  await until(() => guest.links.at(-1) === false);
  const second = await call();
  second.write(asSent(frame(1, 0), frame(1, 5), frame(2, 64)));
  await until(() => guest.frames.length === 1);
  expect(guest.frames[0].length).toBe(64);
});

it("reads frames however they are cut", () => {
  const reader = new FrameReader();
  const frames = [frame(1, 14), frame(2, 65_554), frame(3, 3), frame(4, 999)];
  const bytes = asSent(...frames);
  const got: number[] = [];
  for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7) % 1009) {
    const piece = bytes.subarray(at, at + step);
    expect(reader.read(piece, 0, (it) => got.push(it.length) > 0)).toBe(piece.length);
  }
  expect(got).toEqual([14, 65_554, 999]);
});

it("says what is wrong with its settings", async () => {
  const create = (settings: Record<string, string[]>) => () => NET_BACKENDS.stream.create(settings);
  expect(create({})).toThrow(OptionError);
  expect(create({ path: ["/x"], addr: ["a:1"] })).toThrow(/path or an address/);
  expect(create({ addr: ["4444"] })).toThrow(/HOST:PORT/);
  expect(create({ addr: ["a:99999"] })).toThrow(/HOST:PORT/);
  expect(create({ path: ["/x"], server: ["yes"] })).toThrow(/on or off/);
  expect(create({ path: ["/x"], server: ["on"], reconnect: ["3"] })).toThrow(/leave reconnect out/);
  const first = new Guest({ port: 0, server: true });
  await first.net.prepare();
  await expect(streamNet({ port: first.net.port, server: true }).prepare()).rejects.toThrow(/in use/);
  rmSync(folder, { recursive: true, force: true });
});
