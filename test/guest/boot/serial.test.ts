// A second UART as a stream of bytes between a program in the guest and the host.
import { afterAll, beforeAll, expect, it } from "vitest";
import { createGuest, type Guest } from "../../../src/index.ts";
import { run } from "./file-disks.ts";

let guest: Guest;
let said = "";
const heard: string[] = [];

beforeAll(async () => {
  guest = await createGuest({
    guest: "debian",
    exec: true,
    serial: "talk",
    onOutput: (port) => heard.push(port),
  });
  guest.port("talk").onData((bytes) => {
    said += new TextDecoder("latin1").decode(bytes);
    // An answer for each line, as a program of the host's would give.
    if (said.endsWith("\n")) guest.port("talk").write(`${said.trim().toUpperCase()}\n`);
  });
  await guest.ready();
}, 300_000);
afterAll(() => guest?.close());

it("carries lines both ways, and is no console", async () => {
  const command = "exec 3<>/dev/ttyS1; stty raw -echo <&3; echo hello >&3; head -n 1 <&3";
  expect(await run(guest, command)).toEqual({ status: 0, output: "HELLO\n" });
  expect(said).toBe("hello\n");
  expect(new Set(heard)).toContain("talk");
});

it("loses no byte of a long stream", async () => {
  said = "";
  const { status } = await run(
    guest,
    "stty -F /dev/ttyS1 raw -echo; head -c 100000 /dev/zero | tr '\\0' x >/dev/ttyS1",
  );
  expect(status).toBe(0);
  expect([said.length, said.replaceAll("x", "")]).toEqual([100_000, ""]);
  const { output } = await run(guest, "dmesg | grep -c 'ttyS1 at MMIO 0x10000100'");
  expect(output).toBe("1\n");
});

it("has no port that was not named", () => {
  expect(() => guest.port("other")).toThrow(/no port other: name it in ports, or as serial/);
});
