// How the root disk is made, as far as that needs no network.
import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readCpio } from "../../src/image/cpio.ts";
import { rootOverlay } from "../../src/image/overlay.ts";
import { ROOT_LABEL, rootScript } from "../../src/image/root-script.ts";
import { makeAccounts } from "../../src/platform/node/debian/accounts.ts";
import { parseSimulation } from "../../src/platform/node/debian/apt.ts";
import { writeExt4 } from "../../src/platform/node/debian/ext4.ts";

const folder = mkdtempSync(join(tmpdir(), "paravane-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

describe("the root disk's packages", () => {
  it("are those that apt would install", () => {
    const said =
      "NOTE: a simulation\nInst libc6 (2.41-12 Debian:13.7/stable [riscv64])\nInst g++ (4:14)\nConf libc6 (2.41)";
    expect(parseSimulation(said)).toEqual(["libc6", "g++"]);
  });
});

describe("the root disk's accounts", () => {
  const { passwd, group, shadow, gshadow } = makeAccounts(
    "root:*:0:0:root:/root:/bin/bash\ndaemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n",
    "root:*:0:\ndaemon:*:1:\ntty:*:5:\nnogroup:*:65534:\n",
    [
      '# a comment\ng tty 5 -\ng input - -\nu! network - "Network Management"\n',
      'u root 0 "Super User" /root\nu bus 101 "Bus" /run/bus /bin/sh\nu low 102:nogroup - -\nm bus tty\n',
    ],
  );

  it("are base-passwd's and those of sysusers.d", () => {
    expect(passwd.split("\n")).toEqual([
      "root:x:0:0:root:/root:/bin/bash",
      "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
      "network:x:998:998:Network Management:/:/usr/sbin/nologin",
      "bus:x:101:101:Bus:/run/bus:/bin/sh",
      "low:x:102:65534::/:/usr/sbin/nologin",
      "",
    ]);
  });

  it("have groups of the same numbers", () => {
    expect(group).toBe(
      "root:x:0:\ndaemon:x:1:\ntty:x:5:\nnogroup:x:65534:\ninput:x:999:\nnetwork:x:998:\nbus:x:101:\n",
    );
    expect(gshadow.split("\n")[4]).toBe("input:*::");
  });

  it("let root in without a password, and nobody else", () => {
    const passwords = shadow.split("\n").map((line) => line.split(":")[1]);
    expect(passwords).toEqual(["", "*", "*", "*", "*", undefined]);
  });
});

describe("the root disk's image", () => {
  const missing = ["mke2fs", "debugfs"].some(
    (name) => spawnSync(name, ["-V"], { env: { ...process.env, PATH } }).error,
  );
  it.skipIf(missing)("holds the folder, all of it root's", async () => {
    const tree = join(folder, "tree");
    mkdirSync(join(tree, "etc/a folder"), { recursive: true });
    writeFileSync(join(tree, "etc/a folder/file"), "content\n", { mode: 0o640 });
    symlinkSync("etc/a folder", join(tree, "link"));
    const outside = join(folder, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "file"), "");
    if (process.getuid?.() === 0) chownSync(join(outside, "file"), 12, 34);
    symlinkSync(outside, join(tree, "way-out"));
    if (process.getuid?.() === 0) chownSync(join(tree, "etc/a folder/file"), 12, 34);
    const image = join(folder, "image");
    await writeExt4(tree, { image, label: ROOT_LABEL, size: 32 * 1024 * 1024, scratch: join(folder, "scratch") });
    const ask = (request: string) =>
      execFileSync("debugfs", ["-R", request, image], { env: { ...process.env, PATH }, stdio: "pipe" }).toString();
    expect(ask("stats -h")).toContain(`Filesystem volume name:   ${ROOT_LABEL}\n`);
    expect(ask('cat "/etc/a folder/file"')).toBe("content\n");
    for (const path of ["/", "/link", "/etc", "/etc/a folder", "/etc/a folder/file"]) {
      expect(ask(`stat "${path}"`), path).toMatch(/User: +0 +Group: +0 /);
    }
    expect(ask('stat "/etc/a folder/file"')).toMatch(/Mode: +0640/);
  });
});

describe("the root disk's /init", () => {
  it("is one that a shell can read", () => {
    execFileSync("sh", ["-n"], { input: rootScript });
  });

  it("lies in an archive that goes behind an initrd", () => {
    const init = [...readCpio(rootOverlay())].filter(({ path }) => path === "init");
    // The link first takes away the /init that is there.
    expect(init.map(({ kind }) => kind)).toEqual(["symlink", "file"]);
  });
});
