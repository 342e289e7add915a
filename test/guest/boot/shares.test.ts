// Folders of the host in Debian's kernel, by its own 9P client: what the guest does there is
// what the host finds, and the other way round.
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Guest } from "../../../src/index.ts";
import { run } from "./file-disks.ts";
import { linkedGuest } from "./linked.ts";
import { fileOperations } from "./share-operations.ts";

let guest: Guest;
let base: string;
let shared: string;
let fixed: string;

beforeAll(async () => {
  ({ guest, base, shared, fixed } = await linkedGuest());
}, 300_000);

async function sh(command: string): Promise<string> {
  const { status, output } = await run(guest, `${command} 2>&1`);
  if (status !== 0) throw new Error(`${command}: status ${status}: ${output}`);
  return output;
}

describe("a shared folder", { timeout: 120_000 }, () => {
  it("shows the host's files, and what the guest writes", async () => {
    expect(await sh("cat '/s/from host'")).toBe("hello, guest\n");
    await sh(
      "cd /s && mkdir -p a/b && echo hi >a/b/c && mv a/b/c a/c && ln a/c hard && ln -s a/c soft && chmod 640 a/c",
    );
    expect(readFileSync(join(shared, "a/c"), "utf8")).toBe("hi\n");
    expect(lstatSync(join(shared, "hard"))).toMatchObject({ nlink: 2, mode: 0o100640 });
    expect(readlinkSync(join(shared, "soft"))).toBe("a/c");
    expect(await sh("cat /s/soft; stat -c '%u %g %h' /s/hard; rm -r /s/a/b; ls /s/a")).toBe("hi\n0 0 2\nc\n");
    writeFileSync(join(shared, "a/later"), "later");
    expect(await sh("cat /s/a/later")).toBe("later");
  });

  it("carries much data, through the page cache's way and past it", async () => {
    const hashed = await sh(
      "cd /s && dd if=/dev/urandom of=big bs=1M count=8 2>/dev/null && sync big && md5sum <big && dd if=big bs=300001 of=copy 2>/dev/null && md5sum <copy",
    );
    const md5 = createHash("md5")
      .update(readFileSync(join(shared, "big")))
      .digest("hex");
    expect(hashed).toBe(`${md5}  -\n${md5}  -\n`);
    expect(Buffer.compare(readFileSync(join(shared, "copy")), readFileSync(join(shared, "big")))).toBe(0);
  });

  it("can be mapped, appended to, cut, and removed while open", async () => {
    await sh(
      "cd /s && echo one >log && echo two >>log && exec 5<log && rm log && cat <&5 | grep two && echo 0123456789 >t && truncate -s 4 t",
    );
    expect(readFileSync(join(shared, "t"), "utf8")).toBe("0123");
    expect(readdirSync(shared)).not.toContain("log");
    expect(await sh("mkdir /s/bin && cp /bin/busybox /s/bin && /s/bin/busybox echo runs")).toBe("runs\n");
  });

  it("cannot be left", async () => {
    const { status } = await run(guest, "cat /s/way-out");
    expect(status).not.toBe(0);
    expect(await sh("readlink /s/way-out")).toBe(`${join(base, "secret")}\n`);
    // ".." and links are the guest's own affair: they lead into its tree.
    expect(await sh("cat /s/../etc/hostname /s/.././s/t 2>/dev/null || true")).toContain("0123");
  });

  it("that is read-only stays as it is", async () => {
    expect(await sh("cat /f/kept")).toBe("kept\n");
    for (const command of ["echo x >/f/kept", "touch /f/new", "rm /f/kept", "mkdir /f/d", "chmod 600 /f/kept"]) {
      const { status, output } = await run(guest, `{ ${command}; } 2>&1`);
      expect(status, command).not.toBe(0);
      expect(output).toMatch(/Read-only file system/);
    }
    expect(readdirSync(fixed)).toEqual(["kept"]);
  });

  it("keeps file after file, by checksums", async () => {
    await fileOperations(guest, shared, "/s", 300);
  });

  it("leaves no warning of its driver's", async () => {
    expect(await sh("dmesg | grep -iE '9p|virtio' | grep -iE 'warn|error|fail|bug' || true")).toBe("");
  });
});
