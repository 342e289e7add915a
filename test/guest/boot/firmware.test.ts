// The fully virtualized boot: Debian's OpenSBI in M-mode, unmodified, then Debian's kernel.
import { expect, it } from "vitest";
import { createGuest } from "../../../src/index.ts";

it("boots through OpenSBI, whose calls stay in the guest", { timeout: 300_000 }, async () => {
  let console = "";
  const guest = await createGuest({
    guest: "debian",
    firmware: "opensbi",
    exec: true,
    onConsole: (bytes) => {
      console += new TextDecoder().decode(bytes);
    },
  });
  const { stdout } = await guest.exec("dmesg | grep -i 'SBI.*detected'");
  expect(new TextDecoder().decode(stdout)).toMatch(/SBI specification v2\.0 detected/);
  expect(console).toMatch(/OpenSBI v1\.6/);
  const calls = guest.counters().filter(({ kind }) => kind === "hypercall");
  expect(calls).toEqual([]);
  expect(await guest.powerOff()).toEqual({ reason: "power-off", status: 0 });
});
