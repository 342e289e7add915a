// The fully virtualized boot: Debian's OpenSBI in M-mode, unmodified, then Debian's kernel.
import { expect, it } from "vitest";
import { createGuest, GuestCrash } from "../../../src/index.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

it("boots two harts through OpenSBI, whose calls stay in the guest, and tells of a panic", {
  timeout: 300_000,
}, async () => {
  let console = "";
  const guest = await createGuest({
    guest: "debian",
    firmware: "opensbi",
    harts: 2,
    exec: true,
    onConsole: (bytes) => {
      console += text(bytes);
    },
  });
  const { stdout } = await guest.exec("dmesg | grep -i 'SBI.*detected'; grep -c ^processor /proc/cpuinfo");
  expect(text(stdout)).toMatch(/SBI specification v2\.0 detected\n[\s\S]*\n2\n$/);
  expect(console).toMatch(/OpenSBI v1\.6/);
  const calls = guest.counters().filter(({ kind }) => kind === "hypercall");
  expect(calls).toEqual([]);

  // The kernel's last word is a call to firmware, so the hart is in M-mode when it is looked at.
  const crash = expect(guest.wait()).rejects;
  await expect(guest.exec("echo c > /proc/sysrq-trigger")).rejects.toThrow(/panicked/);
  await crash.toThrow(GuestCrash);
  await crash.toThrow(/sysrq triggered crash; hart \d, pc 0xffffffff8[0-9a-f]+ \(\S.*\), cause \d+ \(.+\)/);
});
