// Debian's virtio_net on `user`: this host's network through its sockets.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import dns from "node:dns";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { decode, encode } from "@dnsquery/dns-packet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IperfServer, readIperf } from "../../../bench/peer/iperf-server.ts";
import { createGuest, type Guest, userNet } from "../../../src/index.ts";

const net = userNet({ hostfwd: ["tcp:127.0.0.1:0-:7000"], egress: ["deny:tcp:host:1-1023", "deny:198.51.100.0/24"] });
const content = new Uint8Array(6_000_000).map((_, i) => (i * 7 + (i >> 8) * 13 + (i >> 16)) & 0xff);
const sum = createHash("sha256").update(content).digest("hex");
let uploaded: string | undefined;
let guest: Guest;
let web: Server;
let webPort: number;
const closers: (() => void)[] = [];
const hasIperf = spawnSync("iperf3", ["--version"], { stdio: "ignore" }).status === 0;

async function sh(command: string): Promise<string> {
  const { status, stdout, stderr } = await guest.exec(command, { timeout: 120_000 });
  const text = new TextDecoder();
  if (status !== 0) throw new Error(`${command}: status ${status}: ${text.decode(stderr)}${text.decode(stdout)}`);
  return text.decode(stdout);
}

beforeAll(async () => {
  web = createHttpServer((request, response) => {
    if (request.url === "/data") response.end(content);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  webPort = (web.address() as AddressInfo).port;
  guest = await createGuest({ guest: "debian", exec: true, tools: true, nets: [{ backend: net }] });
  await guest.ready();
}, 300_000);

afterAll(() => {
  guest?.close();
  web?.close();
  for (const close of closers) close();
});

describe("virtio-net on user in Debian", { timeout: 240_000 }, () => {
  it("has the address that users of QEMU expect, and pings the gateway", async () => {
    const said = await sh("ip -4 -o address; ip route; cat /etc/resolv.conf");
    expect(said).toContain("inet 10.0.2.15/24");
    expect(said).toContain("default via 10.0.2.2 dev eth0");
    expect(said).toContain("nameserver 10.0.2.3");
    expect(await sh("ping -c 2 -i 0.2 10.0.2.2")).toContain(" 0% packet loss");
    expect(await sh("ping -c 1 -s 4000 10.0.2.3")).toContain(" 0% packet loss");
  });

  it("fetches from the host, and sends to it, whole", async () => {
    expect(await sh(`wget -q -O - http://10.0.2.2:${webPort}/data | sha256sum`)).toContain(sum);
    const hash = createHash("sha256");
    const sink = createServer((socket) => {
      socket.on("data", (bytes) => hash.update(bytes));
      socket.on("end", () => {
        uploaded = hash.digest("hex");
        socket.end("thanks");
      });
    });
    await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
    closers.push(() => sink.close());
    const { port } = sink.address() as AddressInfo;
    await sh(`wget -q -O /tmp/data http://10.0.2.2:${webPort}/data`);
    // Until the other side has said its word: busybox's nc does not close one direction alone.
    await sh(`(cat /tmp/data; sleep 3) | nc -w 20 10.0.2.2 ${port} >/tmp/said || true`).catch(() => {});
    expect(uploaded).toBe(sum);
  });

  it.skipIf(!hasIperf).each(["", "-R"])("moves as many bytes as iperf3 says, both ways (%s)", async (direction) => {
    const server = await IperfServer.start();
    closers.push(() => server.close());
    const said = readIperf(await sh(`iperf3 -c 10.0.2.2 -p ${server.port} -n 16M -J ${direction}`));
    expect(said.sentBytes).toBeGreaterThanOrEqual(16 << 20);
    expect(said.receivedBytes).toBe(said.sentBytes);
  });

  it("asks the host's resolver, by UDP", async () => {
    const socket = createSocket("udp4");
    socket.on("message", (bytes, from) => {
      const { id, questions = [] } = decode(bytes);
      const answers = questions
        .filter(({ type }) => type === "A")
        .map(({ name }) => ({ type: "A" as const, name, ttl: 5, data: "192.0.2.77" }));
      socket.send(encode({ type: "response", id, flags: 0x180, questions, answers }), from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    closers.push(() => socket.close());
    const before = dns.getServers();
    dns.setServers([`127.0.0.1:${socket.address().port}`]);
    closers.push(() => dns.setServers(before));
    expect(await sh("nslookup far.example 10.0.2.3 2>&1 || true")).toContain("192.0.2.77");
  });

  it("is called through a forwarded port", async () => {
    await sh("(echo from the guest | nc -l -p 7000 >/tmp/got) </dev/null >/dev/null 2>&1 & sleep 0.3");
    const client = connect({ host: "127.0.0.1", port: net.forwards[0].hostPort });
    const said = new Promise<string>((resolve, reject) => {
      client.on("data", (bytes) => resolve(bytes.toString()));
      client.on("error", reject);
    });
    client.write("from the host\n");
    expect(await said).toBe("from the guest\n");
    client.end();
    expect(await sh("sleep 0.3; cat /tmp/got")).toBe("from the host\n");
  });

  it("is told at once what it may not reach, and where nobody listens", async () => {
    expect(await sh("nc -w 5 10.0.2.2 22 </dev/null 2>&1 || true")).toMatch(/unreachable|No route/i);
    expect(await sh("ping -c 1 -W 2 198.51.100.1 2>&1 || true")).toContain("100% packet loss");
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    expect(await sh(`nc -w 5 10.0.2.2 ${port} </dev/null 2>&1 || true`)).toContain("refused");
  });

  it("says nothing to dmesg that is a warning", async () => {
    expect(await sh("dmesg -r | grep -E '^<[0-4]>' | grep -i -E 'virtio_net|eth0|tcp' || true")).toBe("");
  });
});
