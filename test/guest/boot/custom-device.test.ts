// A device written against the library's own API, driven by Debian's unmodified driver.
import { beforeAll, describe, expect, it } from "vitest";
import type { CustomDeviceHandle } from "../../../src/index.ts";
import { debian, sh } from "./debian.ts";
import { update } from "./serial-port.ts";

let port: CustomDeviceHandle & Parameters<typeof update>[0];
let tty: string;

beforeAll(async () => {
  const { guest } = await debian();
  port = guest.device("serial") as typeof port;
  tty = /4000000\.serial: (ttyS\d)/.exec(await sh("dmesg"))?.[1] ?? "";
}, 300_000);

describe("a serial port of the caller's", () => {
  it("is found by the kernel in the device tree", async () => {
    expect(tty).toMatch(/^ttyS\d$/);
    expect(await sh("dmesg | grep 4000000.serial")).toContain("is a 16550A");
  });

  it("takes what programs write", async () => {
    await sh(`stty -F /dev/${tty} raw -echo; echo hello from the guest >/dev/${tty}`);
    expect(new TextDecoder().decode(Uint8Array.from(port.state.output))).toBe("hello from the guest\n");
  });

  it("gives them what the host has, by interrupt", async () => {
    // One opening for both ways: the driver throws away what has come in before.
    port.state.output.length = 0;
    const read = sh(`stty -F /dev/${tty} raw -echo; exec 3<>/dev/${tty}; echo ready >&3; head -c 5 <&3`);
    while (port.state.output.length < 6) await new Promise((resolve) => setTimeout(resolve, 5));
    port.state.input.push(...new TextEncoder().encode("world"));
    update(port);
    expect(await read).toBe("world");
  });

  it("has its accesses counted by register", async () => {
    const { guest } = await debian();
    const writes = guest.counters().filter(({ name, direction }) => name === "serial" && direction === "write");
    expect(writes.map(({ registerName }) => registerName)).toEqual(expect.arrayContaining(["RBR/THR", "IER", "LCR"]));
  });
});
