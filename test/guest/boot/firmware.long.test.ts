// Boots beyond those of the ordinary tests: firmware given as a file, U-Boot from an NVMe disk of
// the caller's, and restarts in every boot.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bootDisk } from "../../../src/image/boot-disk.ts";
import { buildDebianGuest } from "../../../src/platform/node/debian/build.ts";
import { paravane } from "../../cli/cli.ts";
import { watched } from "./watched.ts";

describe("a guest restarts", () => {
  it.each([
    ["paravirtually", {}],
    ["through OpenSBI", { firmware: "opensbi" }],
    ["through U-Boot", { firmware: "u-boot" }],
  ] as const)("%s, with both harts", async (_way, options) => {
    let resets = 0;
    const { guest, until } = await watched({ guest: "debian", harts: 2, ...options, onReset: () => resets++ });
    await until(/~ # /);
    guest.console.write("reboot -f\n");
    // What the kernel says last may get lost: it shuts virtio devices down before it says so (since 6.12.117).
    await until(/Linux version/);
    await until(/~ # /);
    expect(resets).toBe(1);
    guest.console.write("echo harts=$(nproc)\n");
    await until(/harts=2/);
    guest.console.write("poweroff -f\n");
    expect(await guest.wait()).toEqual({ reason: "power-off", status: 0 });
  });
});

describe("U-Boot", () => {
  it("boots from an NVMe disk of the caller's, whose partition the kernel sees", async () => {
    const debian = await buildDebianGuest();
    const bytes = bootDisk({
      kernel: readFileSync(debian.kernel),
      initrd: readFileSync(debian.initrd),
      append: "console=ttyS0 own=disk",
    });
    const { guest, until } = await watched({ firmware: "u-boot", disks: [{ bytes, if: "nvme", overlay: true }] });
    expect(await until(/Starting kernel/)).toContain("Scanning nvme 0:1");
    await until(/~ # /);
    guest.console.write("cat /proc/cmdline; cat /sys/block/nvme0n1/nvme0n1p1/start; poweroff -f\n");
    expect(await until(/Power down/)).toMatch(/own=disk\r\n2048\r\n/);
    expect(await guest.wait()).toEqual({ reason: "power-off", status: 0 });
  });
});

it("runs a command behind firmware that is given as a file", async () => {
  const { opensbi } = await buildDebianGuest();
  const outcome = await paravane("run", "--quiet", "--firmware", opensbi.jump, "--exec", "uname -m; exit 3");
  expect(outcome).toEqual({ status: 3, stdout: "riscv64\n", stderr: "" });
});
