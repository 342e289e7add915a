// Commands in the shared Debian guest.
import { beforeAll, describe, expect, it } from "vitest";
import { ExecError } from "../../../src/index.ts";
import { debian, type SharedGuest, sh } from "./debian.ts";

let shared: SharedGuest;
beforeAll(async () => {
  shared = await debian();
});

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("exec", () => {
  it("runs on riscv64, in Debian's kernel", async () => {
    expect(await sh("uname -m")).toBe("riscv64\n");
    expect(await sh("cat /proc/version")).toMatch(/debian-kernel@lists\.debian\.org/);
  });

  it("keeps stdout, stderr and status apart", async () => {
    const { status, stdout, stderr } = await shared.guest.exec("echo out; echo err >&2; exit 7");
    expect({ status, stdout: text(stdout), stderr: text(stderr) }).toEqual({
      status: 7,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  it("says 128 and the signal's number where a signal ended the command", async () => {
    expect((await shared.guest.exec("kill -9 $$")).status).toBe(137);
  });

  it("carries bytes as they are, both ways", async () => {
    const stdin = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
    const { stdout } = await shared.guest.exec("cat", { stdin });
    expect(Buffer.compare(stdout, stdin)).toBe(0);
  });

  it("hands output over as it comes", async () => {
    const seen: string[] = [];
    const pieces: number[] = [];
    await shared.guest.exec("echo one; sleep 0.3; echo two", {
      onStdout: (bytes) => {
        seen.push(text(bytes));
        pieces.push(performance.now());
      },
    });
    expect(seen.join("")).toBe("one\ntwo\n");
    expect(pieces[pieces.length - 1] - pieces[0]).toBeGreaterThan(150);
  });

  it("runs commands given at once one after another", async () => {
    const all = await Promise.all([1, 2, 3].map((n) => shared.guest.exec(`echo ${n}; cat /proc/uptime`)));
    const times = all.map(({ stdout }) => Number(text(stdout).split("\n")[1].split(" ")[0]));
    expect(all.map(({ stdout }) => text(stdout)[0])).toEqual(["1", "2", "3"]);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
  });

  it("gives up waiting after a timeout, and goes on when the command has ended", async () => {
    const late = shared.guest.exec("sleep 2", { timeout: 200 });
    await expect(late).rejects.toThrow(ExecError);
    await expect(late).rejects.toMatchObject({ timedOut: true });
    expect(await sh("echo again")).toBe("again\n");
  });
});
