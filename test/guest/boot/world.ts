// What people do with a network that reaches the world, on a booted Debian: apt-get from a
// package server on this machine, ssh into the guest, and much data both ways. The same for
// every backend that leads there.
import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENTER } from "../../../bench/debian/machines.ts";
import { IperfServer, readIperf } from "../../../bench/peer/iperf-server.ts";
import { createGuest, type Guest, type NodeNetOptions } from "../../../src/index.ts";
import { buildDebianGuest } from "../../../src/platform/node/debian/build.ts";
import { buildRootDisk } from "../../../src/platform/node/debian/root-disk.ts";
import { PackageServer, packageFiles } from "./package-server.ts";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const BOOT = 900_000;
/** An SSH server that takes few packages. */
const SERVER = "dropbear-bin";

/** A way from the guest to this host and back. */
export interface Way {
  net: NodeNetOptions;
  /** Address by which the guest reaches this host's loopback; undefined: its default gateway. */
  host?: string;
  /** Port of this host's loopback that leads to port 22 of the guest. */
  sshPort(): number;
  close(): void;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Output of a command that must succeed. */
export async function sh(guest: Guest, command: string, stdin?: Uint8Array): Promise<string> {
  const { status, stdout, stderr } = await guest.exec(command, { stdin, timeout: 1_200_000 });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (status !== 0) throw new Error(`${command}: status ${status}: ${text(stderr)}${text(stdout)}`);
  return text(stdout);
}

/** 1 GiB from `guest` to an iperf3 server or, with "-R", from there: as many bytes come as went. */
export async function moveGibibyte(guest: Guest, server: string, direction: "" | "-R"): Promise<string> {
  const { sentBytes, receivedBytes, bitsPerSecond, retransmits } = readIperf(
    await sh(guest, `iperf3 -c ${server} -n 1G -J ${direction}`),
  );
  expect(sentBytes).toBeGreaterThanOrEqual(GIB);
  expect(receivedBytes).toBe(sentBytes);
  return `${Math.round(bitsPerSecond / 1e6)} Mbit/s, ${retransmits} segments sent again`;
}

/** The suite; `open` makes the way. */
export function reachesTheWorld(title: string, open: () => Promise<Way>): void {
  const folder = mkdtempSync(join(tmpdir(), "paravane-world-"));
  const key = join(folder, "key");
  const knownHosts = join(folder, "known-hosts");
  const closers: (() => void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  let guest: Guest;
  let way: Way;
  let host = "";
  let packages: Record<string, string>;

  const inside = (script: string, stdin?: Uint8Array) =>
    sh(guest, `chroot /mnt /bin/sh -c ${quoted(`export DEBIAN_FRONTEND=noninteractive LC_ALL=C\n${script}`)}`, stdin);

  /** A command in the guest, by this machine's own ssh. */
  const ssh = (command: string, input = new Uint8Array()): Promise<{ status: number | null; output: Buffer }> => {
    const options = ["StrictHostKeyChecking=yes", `UserKnownHostsFile=${knownHosts}`, "BatchMode=yes"];
    const to = ["-p", `${way.sshPort()}`, "-i", key, ...options.flatMap((it) => ["-o", it]), "root@127.0.0.1"];
    // The guest runs in this process: it must not wait for ssh.
    const child = spawn("ssh", [...to, command], { stdio: ["pipe", "pipe", "inherit"] });
    const output: Buffer[] = [];
    child.stdout.on("data", (bytes) => output.push(bytes));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve({ status, output: Buffer.concat(output) }));
    });
  };

  describe(title, { timeout: 1_800_000 }, () => {
    beforeAll(async () => {
      const root = await buildRootDisk(await buildDebianGuest());
      packages = root.packages;
      way = await open();
      closers.push(() => way.close());
      guest = await createGuest({
        guest: "debian",
        exec: true,
        tools: true,
        memory: "1G",
        disks: [{ path: root.image, overlay: true }],
        nets: [way.net],
      });
      closers.push(() => guest.close());
      await guest.ready();
      await sh(guest, ENTER);
      host = way.host ?? (await sh(guest, "ip -4 route show default | sed 's/.* via \\([0-9.]*\\) .*/\\1/'")).trim();
    }, BOOT);
    afterAll(() => {
      for (const close of closers.reverse()) close();
    });

    it("installs a package with apt-get from a server on this machine", async () => {
      const files = await packageFiles(SERVER);
      const missing = [...files].filter(([name]) => packages[name] === undefined).map(([, file]) => file);
      const server = await PackageServer.start(missing);
      closers.push(() => server.close());
      const source = `deb [trusted=yes] http://${host}:${server.port}/ ./\n`;
      // The disk was made without dpkg's records: these say what is on it.
      const known = Object.entries(packages).map(
        ([name, version]) =>
          `Package: ${name}\nStatus: install ok installed\nArchitecture: riscv64\nVersion: ${version}\n` +
          "Maintainer: nobody\nDescription: on the disk\n\n",
      );
      await inside("cat >/var/lib/dpkg/status", new TextEncoder().encode(known.join("")));
      await inside(`rm -f /etc/apt/sources.list.d/*; printf %s ${quoted(source)} >/etc/apt/sources.list`);
      expect(await inside("apt-get -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any update 2>&1")).toContain(
        `http://${host}:${server.port}`,
      );
      expect(server.served).toContain("/Packages");
      await inside(
        `apt-get -o APT::Sandbox::User=root -o Dpkg::Options::=--force-unsafe-io install -y --no-install-recommends ${SERVER} 2>&1`,
      );
      expect(server.served.filter((path) => path.startsWith("/pool/")).length).toBe(missing.length);
      expect(await inside(`dpkg -s ${SERVER}`)).toContain("Status: install ok installed");
    });

    it("lets ssh in, and carries files both ways whole", async () => {
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
      await inside("mkdir -p -m 700 /root/.ssh && cat >/root/.ssh/authorized_keys", readFileSync(`${key}.pub`));
      // Only those with a shell of /etc/shells may come in; a package's script would have made it.
      const said = await inside(
        `echo /bin/bash >>/etc/shells; mkdir -p /etc/dropbear && cd /etc/dropbear && dropbearkey -t ed25519 -f dropbear_ed25519_host_key 2>&1 &&
         dropbear -p 22 -P /run/dropbear.pid </dev/null >/dev/null 2>&1`,
      );
      const [hostKey] = /^ssh-ed25519 \S+/m.exec(said) ?? [];
      expect(hostKey).toBeDefined();
      // Who answers is the guest, or ssh will not speak with it.
      writeFileSync(knownHosts, `[127.0.0.1]:${way.sshPort()} ${hostKey}\n`);
      const data = randomBytes(16 * MIB);
      const sum = createHash("sha256").update(data).digest("hex");
      expect(await ssh("uname -m; exit 7")).toEqual({ status: 7, output: Buffer.from("riscv64\n") });
      expect((await ssh("cat >/tmp/data && sha256sum /tmp/data", data)).output.toString()).toContain(sum);
      const back = await ssh("cat /tmp/data");
      expect(createHash("sha256").update(back.output).digest("hex")).toBe(sum);
    });

    it.each(["", "-R"] as const)("moves 1 GiB with no byte lost (iperf3 %s)", async (direction) => {
      const server = await IperfServer.start();
      closers.push(() => server.close());
      const speed = await moveGibibyte(guest, `${host} -p ${server.port}`, direction);
      process.stderr.write(`${title} ${direction}: ${speed}\n`);
    });

    it("has given the kernel nothing to warn of", async () => {
      expect(await sh(guest, "dmesg -r | grep -E '^<[0-4]>' | grep -iE 'net|virtio|eth|tcp' || true")).toBe("");
    });
  });
}
