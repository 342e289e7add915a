// The NAT behind a Wisp server, which is another program's: @mercuryworkshop/wisp-js.

import { createSocket } from "node:dgram";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { decode, encode } from "@dnsquery/dns-packet";
import { client } from "@mercuryworkshop/wisp-js/client";
import * as wisp from "@mercuryworkshop/wisp-js/server";
import { afterEach, expect, it } from "vitest";
import { type WispNetOptions, wispNetOn } from "../../../src/backend/nat/wisp-net.ts";
import { nodeNatTransport } from "../../../src/platform/node/nat-transport.ts";
import { DNS, HOST, ip, pattern, TestGuest } from "./guest.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

async function start(options: Partial<WispNetOptions> = {}) {
  const server: Server = createServer();
  server.on("upgrade", (request, socket, head) => wisp.server.routeRequest(request, socket, head));
  wisp.logging.set_level(wisp.logging.NONE);
  wisp.server.options.allow_loopback_ips = true;
  wisp.server.options.allow_private_ips = true;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const { ClientConnection } = client;
  const nat = wispNetOn(nodeNatTransport(), { url, ClientConnection, ...options });
  closers.push(() => nat.close());
  return { nat, guest: new TestGuest(nat) };
}

async function serve(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function resolveName(guest: TestGuest, name: string, type: "A" | "AAAA" = "A") {
  const before = guest.packets.length;
  guest.sendUdp(5000, DNS, 53, encode({ type: "query", id: 7, flags: 0x100, questions: [{ type, name }] }));
  const { payload } = await guest.until(() => guest.packets[before], "an answer");
  return decode(payload.subarray(8));
}

function addressIn({ answers = [] }: ReturnType<typeof decode>): string {
  return (answers[0] as { data: string }).data;
}

it("carries bytes both ways, to a name that the server resolves", async () => {
  const sent = pattern(2_000_000);
  const got: Buffer[] = [];
  let total = 0;
  const port = await serve((socket) => {
    socket.on("data", (bytes) => {
      got.push(bytes);
      total += bytes.length;
      if (total === sent.length) socket.end(sent);
    });
  });
  const { guest, nat } = await start();
  const answer = await resolveName(guest, "localhost");
  expect(answer.id).toBe(7);
  const address = ip(addressIn(answer));
  expect(address >>> 17).toBe(ip("198.18.0.0") >>> 17);
  const connection = guest.connect(address, port);
  await guest.until(() => connection.state === "open", "a connection");
  await connection.sendAll(sent);
  await guest.until(() => connection.farEnded, "the end");
  connection.end();
  expect(Buffer.concat(got).equals(sent)).toBe(true);
  expect(Buffer.from(connection.bytes).equals(sent)).toBe(true);
  await guest.until(() => nat.usage.connections === 0, "the connection's end");
});

it("gives a name one address, and says that there are no others", async () => {
  const { guest } = await start();
  const first = await resolveName(guest, "example.org");
  const second = await resolveName(guest, "EXAMPLE.org");
  expect(addressIn(second)).toBe(addressIn(first));
  expect((await resolveName(guest, "example.org", "AAAA")).answers).toEqual([]);
  const before = guest.packets.length;
  for (const bytes of [[], [1], Array(12).fill(0xff), Array(40).fill(0xc0)]) {
    guest.sendUdp(5000, DNS, 53, Uint8Array.from(bytes));
  }
  expect(guest.packets.length).toBe(before);
});

it("carries datagrams, and refuses what it cannot reach", async () => {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, from) => socket.send(bytes, from.port, from.address));
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  closers.push(() => socket.close());
  const port = await serve(() => {});
  const { guest } = await start();
  // The page's host has no ports for the guest.
  const refused = guest.connect(HOST, port);
  await guest.until(() => refused.state === "reset", "a refusal");
  const answer = await resolveName(guest, "localhost");
  const address = ip(addressIn(answer));
  const connection = guest.connect(address, port);
  await guest.until(() => connection.state === "open", "the server to be there");
  const before = guest.packets.length;
  guest.sendUdp(6000, address, socket.address().port, Buffer.from("over there"));
  const back = await guest.until(() => guest.packets[before], "an answer");
  expect([back.source, Buffer.from(back.payload.subarray(8)).toString()]).toEqual([address, "over there"]);
});

it("resets what it has no server for", async () => {
  const { guest, nat } = await start({ url: "ws://127.0.0.1:9/" });
  const connection = guest.connect(ip("198.51.100.1"), 80);
  const told = await guest.until(() => guest.packets.find(({ protocol }) => protocol === 1), "word of it");
  expect([...told.payload.subarray(0, 2)]).toEqual([3, 1]);
  expect(connection.state).toBe("opening");
  expect(nat.usage.connections).toBe(0);
});
