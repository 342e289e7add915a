// The same Debian guest through the same library, in headless Chromium: nothing that only
// Node has may have crept in. The bundle for browsers is tested as it is published.
import { expect, it } from "vitest";
import { createGuest, defaultCommandLine, OptionError } from "../../dist/browser.js";

async function file(name: string): Promise<Uint8Array> {
  const response = await fetch(`/guest/${name}`);
  if (!response.ok) throw new Error(`/guest/${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

it("refuses options that cannot work, like everywhere", async () => {
  await expect(createGuest({})).rejects.toThrow(OptionError);
});

it("boots Debian's kernel, runs commands, reads and writes disks, and switches off", async () => {
  const [kernel, initrd] = await Promise.all([file("kernel"), file("initrd")]);
  const disk = new Uint8Array(4 * 1024 * 1024);
  let console = "";
  const guest = await createGuest({
    kernel,
    initrd,
    exec: true,
    memory: "256M",
    append: `${defaultCommandLine("virtio", true)} paravane.test=1`,
    disks: [{ bytes: disk, if: "nvme" }],
    onConsole: (bytes) => {
      console += new TextDecoder().decode(bytes);
    },
  });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

  const { status, stdout, stderr } = await guest.exec("uname -m; cat /proc/cmdline; echo err >&2; exit 3");
  expect(text(stdout)).toMatch(/^riscv64\n.*paravane\.test=1/);
  expect({ status, stderr: text(stderr) }).toEqual({ status: 3, stderr: "err\n" });
  expect(console).toContain("Linux version 6.");

  await guest.exec("echo from-the-guest | dd of=/dev/nvme0n1 bs=512 conv=sync,fsync");
  expect(text(disk.subarray(0, 14))).toBe("from-the-guest");

  // An idle guest runs next to nothing: far from what two seconds could hold. What a kernel
  // still has to do after its boot may fall into some of them.
  const quiet = async () => {
    const before = guest.instructions;
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return guest.instructions - before;
  };
  await expect.poll(quiet, { timeout: 30_000, interval: 0 }).toBeLessThan(20_000_000);
  expect(guest.counters().some(({ name }) => name === "nvme")).toBe(true);

  expect(await guest.powerOff()).toEqual({ reason: "power-off", status: 0 });
});
