// The commands `paravane run` and `paravane explain` on Debian's kernel, each run in a process of its own.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect, paravane, start } from "../../cli/cli.ts";

const BOOT = 240_000;
const SIZE = 4 * 1024 * 1024;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "paravane-run-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function newDisk(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, new Uint8Array(SIZE));
  return path;
}

describe("run --exec", () => {
  it(
    "gives the command's output and status alone, and its writes are in the disks' files",
    async () => {
      const [virtio, nvme, overlay] = ["virtio.img", "nvme.img", "overlay.img"].map(newDisk);
      const command = [
        "for disk in vda nvme0n1 vdb; do echo on-$disk | dd of=/dev/$disk bs=512 seek=8 conv=sync 2>/dev/null; done",
        "dd if=/dev/vdc of=/dev/null bs=512 count=1 2>/dev/null && ! dd if=/dev/zero of=/dev/vdc count=1 2>/dev/null && echo read-only",
        "echo trouble >&2",
        "exit 5",
      ].join("; ");
      const outcome = await paravane(
        ...["run", "--quiet", "--exec", command],
        ...["--disk", `${virtio},if=virtio`, "--disk", `${nvme},if=nvme`],
        ...["--disk", `${overlay},overlay`, "--disk", `${overlay},ro`],
      );
      expect(outcome).toEqual({ status: 5, stdout: "read-only\n", stderr: "trouble\n" });
      expect(readFileSync(virtio).toString("latin1", 4096, 4103)).toBe("on-vda\n");
      expect(readFileSync(nvme).toString("latin1", 4096, 4107)).toBe("on-nvme0n1\n");
      expect(readFileSync(overlay).every((byte) => byte === 0)).toBe(true);
    },
    BOOT,
  );

  it(
    "reports a panic in one line with pc, cause and disassembly",
    async () => {
      const outcome = await paravane("run", "--quiet", "--exec", "echo c > /proc/sysrq-trigger");
      expect(outcome.stdout).toBe("");
      expect(outcome.stderr).toMatch(
        /^paravane: .*kernel panicked: .*sysrq.*pc 0xffffffff8[0-9a-f]+ \(\S.*\), cause \d+ \(.+\)/m,
      );
      expect(outcome.status).toBe(1);
    },
    BOOT,
  );
});

describe("run on a pipe", () => {
  it(
    "types what comes on stdin, prints the console, and ends with the guest's power-off",
    async () => {
      const child = start(["run", "--harts", "2", "--json"]);
      const outcome = collect(child);
      child.stdin.end("grep -c ^processor /proc/cpuinfo; echo sum=$((40+2)); poweroff -f\n");
      const { status, stdout, stderr } = await outcome;
      // With --json the console is on stderr, and stdout is JSON alone.
      expect(stderr).toMatch(/\r\n2\r\n/);
      expect(stderr).toContain("sum=42");
      expect(JSON.parse(stdout)).toMatchObject({ reason: "power-off", status: 0 });
      expect(status).toBe(0);
    },
    BOOT,
  );

  it(
    "flushes disks and ends with 143 on SIGTERM, 141 when nobody reads any more",
    async () => {
      const child = start(["run", "--disk", newDisk("term.img")]);
      const outcome = collect(child);
      await new Promise((resolve) => child.stdout.once("data", resolve));
      child.kill("SIGTERM");
      expect((await outcome).status).toBe(143);

      const piped = start(["run"]);
      piped.stdout.once("data", () => piped.stdout.destroy());
      const status = await new Promise((resolve) => piped.on("exit", resolve));
      expect(status).toBe(141);
    },
    BOOT,
  );
});

describe("explain --exec", () => {
  it(
    "finds the kernel's own symbols, and ends as the command does",
    async () => {
      const { status, stdout, stderr } = await paravane("explain", "memset", "--quiet", "--exec", "echo done; exit 3");
      expect({ status, stderr }).toEqual({ status: 3, stderr: "done\n" });
      expect(stdout).toMatch(/^region 0xffffffff[0-9a-f]{8} <memset>, mode S, (live|dropped)$/m);
      expect(stdout).toMatch(/^ {2}page 0xffffffff[0-9a-f]{5}000 at 0x[0-9a-f]{5}000/m);
    },
    BOOT,
  );
});
