// AF_VSOCK sockets of the guest and Unix sockets of the host, as Firecracker has it.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { run } from "./file-disks.ts";
import { type Linked, linkedGuest } from "./linked.ts";

const MIB = 1 << 20;
const COMPILER = "riscv64-linux-gnu-gcc";
const hasCompiler = spawnSync(COMPILER, ["--version"]).status === 0;
const md5 = (bytes: Uint8Array) => createHash("md5").update(bytes).digest("hex");

let linked: Linked;

/** Everything that a socket gives until its end; it can be written still. */
function all(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("end", () => resolve(Buffer.concat(chunks)));
  });
}

/** Connects to a port of the guest; the host's end has the port that comes back. */
async function dial(port: number): Promise<{ socket: Socket; hostPort: number }> {
  const socket = connect({ path: linked.socket, allowHalfOpen: true });
  socket.write(`CONNECT ${port}\n`);
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("refused")));
    socket.once("readable", () => {
      const line = String(socket.read() ?? "");
      const hostPort = /^OK ([0-9]+)\n$/.exec(line)?.[1];
      if (hostPort === undefined) reject(new Error(line === "" ? "refused" : `answer ${JSON.stringify(line)}`));
      else resolve({ socket, hostPort: Number(hostPort) });
    });
  });
}

describe.skipIf(!hasCompiler)("sockets between guest and host", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    linked = await linkedGuest();
    const source = fileURLToPath(new URL("vsock.c", import.meta.url));
    execFileSync(COMPILER, ["-static", "-O2", "-o", join(linked.shared, "vsock"), source]);
    await run(linked.guest, "cp /s/vsock /tmp/vsock; /tmp/vsock listen 77 </dev/null >/dev/null 2>&1 &");
  }, 300_000);

  it("the guest reaches who listens on the host, and nobody else", async () => {
    const server = createServer({ allowHalfOpen: true }, async (socket) => {
      const bytes = await all(socket);
      socket.end(`${md5(bytes)}\n`);
    }).listen(`${linked.socket}_52`);
    const bytes = randomBytes(2 * MIB);
    writeFileSync(join(linked.shared, "data"), bytes);
    expect(await run(linked.guest, "/tmp/vsock connect 52 </s/data")).toEqual({ status: 0, output: `${md5(bytes)}\n` });
    const refused = await run(linked.guest, "/tmp/vsock connect 53 </dev/null");
    expect(refused.status).toBe(2);
    expect(refused.output).toMatch(/Connection (reset|refused)/);
    server.close();
  });

  it("the host reaches who listens in the guest, and gets back every byte it sends", async () => {
    const { socket, hostPort } = await dial(77);
    expect(hostPort).toBeGreaterThanOrEqual(2 ** 30);
    const bytes = randomBytes(2 * MIB);
    socket.end(bytes);
    const echoed = await all(socket);
    expect(echoed.length).toBe(bytes.length);
    expect(md5(echoed)).toBe(md5(bytes));
  });

  it("a host that does not read makes the guest wait, and loses nothing", async () => {
    const { socket } = await dial(77);
    const bytes = randomBytes(3 * MIB);
    socket.end(bytes);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(md5(await all(socket))).toBe(md5(bytes));
  });

  it("a port where nobody listens in the guest, and a line that makes no sense, are refused", async () => {
    await expect(dial(78)).rejects.toThrow("refused");
    const socket = connect(linked.socket);
    socket.write("HELLO 77\n");
    expect(await all(socket)).toHaveLength(0);
  });

  it("the guest has the address that it was given, and no warning", async () => {
    const { output } = await run(linked.guest, "dmesg | grep -i vsock | grep -iE 'warn|error|fail' || true");
    expect(output).toBe("");
  });
});
