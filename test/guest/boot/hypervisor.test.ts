// Two Debian guests under one hypervisor, in workers of their own, on a switch in a third.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHypervisor, type GuestEvent, type HostedGuest, type HostedGuestOptions } from "../../../src/index.ts";

const hypervisor = createHypervisor();
const events: GuestEvent[] = [];
hypervisor.onEvent((event) => events.push(event));
afterAll(() => hypervisor.close());

const optionsOf = (n: number): HostedGuestOptions => ({
  guest: "debian",
  exec: true,
  memory: "256M",
  nets: [{ switch: "lan", address: `10.0.0.${n}/24`, mac: `52:54:00:00:00:0${n}` }],
});

let one: HostedGuest<HostedGuestOptions>;
let two: HostedGuest<HostedGuestOptions>;
beforeAll(async () => {
  [one, two] = [hypervisor.create("one", optionsOf(1)), hypervisor.create("two", optionsOf(2))];
  await Promise.all([one.boot(), two.boot()]);
  await Promise.all([one.ready(), two.ready()]);
});

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("two guests", () => {
  it("run commands, each its own", async () => {
    const [first, second] = await Promise.all([
      one.exec("echo 1; exit 3"),
      two.exec("cat", { stdin: Buffer.from("2") }),
    ]);
    expect([first.status, text(first.stdout)]).toEqual([3, "1\n"]);
    expect([second.status, text(second.stdout)]).toEqual([0, "2"]);
  });

  it("reach each other through the switch, and carry a MiB whole", async () => {
    const { status, stdout } = await one.exec("ping -c 3 -W 5 10.0.0.2");
    expect([status, text(stdout)]).toEqual([0, expect.stringContaining("3 packets received")]);
    const sent = await one.exec(
      "mkdir /tmp/files && dd if=/dev/urandom of=/tmp/files/data bs=64k count=16 2>/dev/null && httpd -p 80 -h /tmp/files && sha256sum </tmp/files/data",
    );
    const received = await two.exec("wget -qO- http://10.0.0.1/data | sha256sum");
    expect(text(received.stdout)).toBe(text(sent.stdout));
  });

  it("have consoles that the hypervisor hears, and figures", async () => {
    await one.exec("echo a line of its own >/dev/console");
    await expect.poll(() => text(one.consoleTail)).toContain("a line of its own");
    expect(text(two.consoleTail)).not.toContain("a line of its own");
    const { instructions, seconds, busySeconds, exits, memory } = await one.statistics();
    expect(instructions).toBeGreaterThan(1e8);
    for (const figure of [seconds, busySeconds, exits]) expect(figure).toBeGreaterThan(0);
    expect(memory.ram).toBe(256 * 1024 * 1024);
  });

  it("are stopped in good order, one without the other", async () => {
    expect(await one.stop()).toEqual({ exit: { reason: "power-off", status: 0 }, error: undefined });
    expect((await two.exec("true")).status).toBe(0);
    await one.boot();
    await one.ready();
    expect((await one.exec("ping -c 1 -W 5 10.0.0.2")).status).toBe(0);
    const states = events.flatMap((event) => (event.type === "state" && event.guest === "one" ? [event.state] : []));
    expect(states).toEqual(["booting", "running", "stopping", "stopped", "booting", "running"]);
  });
});
