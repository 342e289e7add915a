// OpenSBI, then Debian's U-Boot, unmodified, which drives virtio-blk and FAT with code of its
// own, then Debian's kernel on two harts.
import { expect, it } from "vitest";
import { createGuest } from "../../../src/index.ts";
import { paravane } from "../../cli/cli.ts";
import { watched } from "./watched.ts";

it("boots through U-Boot from the disk made for it", { timeout: 300_000 }, async () => {
  const append = "console=ttyS0 quiet panic=1 a='b c' d=$(bootcmd) e=\\x f=\\\\$(g) h=$i \"j k\"";
  let console = "";
  const guest = await createGuest({
    guest: "debian",
    firmware: "u-boot",
    harts: 2,
    exec: true,
    append,
    onConsole: (bytes) => {
      console += new TextDecoder().decode(bytes);
    },
  });
  const { stdout } = await guest.exec("cat /proc/cmdline; nproc; cat /sys/block/vda/ro");
  expect(new TextDecoder().decode(stdout)).toBe(`${append}\n2\n1\n`);
  const stages = [
    "OpenSBI v1.6",
    "U-Boot 2025.01",
    "Scanning virtio 0:1",
    "Retrieving file: /initrd",
    "Starting kernel",
  ];
  const places = stages.map((text) => console.indexOf(text));
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(await guest.powerOff()).toEqual({ reason: "power-off", status: 0 });
});

it("gives its prompt to who presses a key, and sees both disks", async () => {
  const disks = (["virtio", "nvme"] as const).map((device) => ({ bytes: new Uint8Array(1 << 20), if: device }));
  const { guest, until } = await watched({ firmware: "u-boot", disks });
  await until(/Hit any key to stop autoboot/);
  guest.console.write(" ");
  await until(/=> /);
  // A byte pattern to each disk, and back from it.
  const copy = (device: string) =>
    `mw.b 84000000 5a 1000; ${device} write 84000000 8 8; mw.b 85000000 0 1000; ${device} read 85000000 8 8; cmp.b 84000000 85000000 1000\n`;
  guest.console.write("virtio scan; nvme scan; virtio dev 0; nvme dev 0; echo done\n");
  await until(/\ndone/);
  for (const device of ["virtio", "nvme"]) {
    guest.console.write(copy(device));
    await until(/Total of 4096 byte\(s\) were the same/);
  }
  guest.console.write("poweroff\n");
  expect(await guest.wait()).toEqual({ reason: "power-off", status: 0 });
  for (const { bytes } of disks) {
    expect(bytes.subarray(4096, 8192).every((byte) => byte === 0x5a)).toBe(true);
    expect(bytes.subarray(8192).every((byte) => byte === 0)).toBe(true);
  }
});

it("cannot carry commands into an initrd that it loads itself", async () => {
  const outcome = await paravane("run", "--firmware", "u-boot", "--disk", "package.json,ro", "--exec", "true");
  expect(outcome).toMatchObject({ status: 1, stdout: "" });
  expect(outcome.stderr).toMatch(/U-Boot.*give kernel and initrd/);
});
