// Debian's qemu-guest-agent, started by the guest's init, over its port of the virtio console.
import { beforeAll, describe, expect, it } from "vitest";
import type { Guest, QemuAgent } from "../../../src/index.ts";
import { run } from "./file-disks.ts";
import { linkedGuest } from "./linked.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
let guest: Guest;
let agent: QemuAgent;

beforeAll(async () => {
  ({ guest } = await linkedGuest());
  agent = guest.agent;
}, 300_000);

describe("qemu-guest-agent", { timeout: 120_000 }, () => {
  it("tells of itself and its guest", async () => {
    await agent.ping({ timeout: 60_000 });
    const info = await agent.info();
    expect(info.version).toMatch(/^[0-9]+\.[0-9]+/);
    expect(info.commands.map(({ name }) => name)).toContain("guest-exec");
    expect((await agent.osInfo()).machine).toBe("riscv64");
    expect(await agent.hostName()).toBe("paravane");
    expect((await agent.interfaces()).map(({ name }) => name)).toContain("lo");
    expect(await agent.freezeStatus()).toBe("thawed");
  });

  it("runs programs", async () => {
    const input = new TextEncoder().encode("hello");
    const result = await agent.exec("/bin/sh", ["-c", 'cat; echo "$X" >&2; exit 3'], {
      input,
      environment: ["X=error", "PATH=/bin:/usr/bin"],
      timeout: 60_000,
    });
    expect({ ...result, stdout: text(result.stdout), stderr: text(result.stderr) }).toEqual({
      status: 3,
      signal: undefined,
      stdout: "hello",
      stderr: "error\n",
      isCut: false,
    });
  });

  it("moves files", async () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7);
    await agent.writeFile("/tmp/agent-file", bytes);
    expect(Buffer.compare(await agent.readFile("/tmp/agent-file"), bytes)).toBe(0);
    await expect(agent.readFile("/tmp/agent-file", { limit: 1000 })).rejects.toThrow("more than 1000 bytes");
    expect((await run(guest, "wc -c </tmp/agent-file")).output).toBe("100000\n");
  });

  it("refuses in words, and is found again after it did not answer in time", async () => {
    await expect(agent.call("guest-nonsense")).rejects.toMatchObject({ agentClass: "CommandNotFound" });
    await run(guest, "kill -STOP $(cat /var/run/qemu-ga.pid)");
    await expect(agent.hostName({ timeout: 500 })).rejects.toMatchObject({ timedOut: true });
    await run(guest, "kill -CONT $(cat /var/run/qemu-ga.pid)");
    expect(await agent.hostName()).toBe("paravane");
  });
});
