// Debian behind passt, on `stream`: apt-get, ssh, and 1 GiB each way.
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../../bench/peer/iperf-server.ts";
import { findPasst } from "../../../bench/peer/passt.ts";
import { streamNet } from "../../../src/index.ts";
import { reachesTheWorld } from "./world.ts";

/** What passt tells its guests by DHCP. */
const MTU = 65_520;

reachesTheWorld("passt", async () => {
  const folder = mkdtempSync(join(tmpdir(), "paravane-passt-"));
  // Started by root it goes on as nobody.
  chmodSync(folder, 0o777);
  const path = join(folder, "socket");
  const port = await freePort();
  const [program, ...first] = await findPasst((line) => process.stderr.write(`${line}\n`));
  const options = ["--foreground", "--socket", path, "--tcp-ports", `127.0.0.1/${port}:22`];
  const passt = spawn(program, [...first, ...options], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  passt.stderr.on("data", (bytes) => (said += bytes));
  let ended: string | undefined;
  passt.on("error", (error) => (ended = error.message));
  passt.on("exit", (status) => (ended = `status ${status}`));
  for (let tries = 0; !existsSync(path); tries++) {
    if (ended !== undefined || tries === 100) throw new Error(`passt does not start: ${ended}: ${said}`);
    await sleep(100);
  }
  return {
    net: { backend: streamNet({ path }), mtu: MTU },
    sshPort: () => port,
    close() {
      passt.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
