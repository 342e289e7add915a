// Guests in Web Workers under a page's hypervisor: the same states, events and policies as in Node (test/hypervisor), and two of
// Debian's on a switch. The bundle for browsers is tested as it is published.
import { afterEach, describe, expect, it } from "vitest";
import {
  createHypervisor,
  type GuestEvent,
  GuestStateError,
  HostError,
  type HostedGuestOptions,
  type Hypervisor,
} from "../../dist/browser.js";
import { program, systemReset } from "../guest/instructions.ts";

const SPIN = 0x6f;
const EBREAK = 0x0010_0073;
const MIB = 1024 * 1024;

const open: Hypervisor<HostedGuestOptions>[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((it) => it.close()));
});

function hypervisor(memory?: number) {
  const made = createHypervisor({ memory });
  open.push(made);
  const events: GuestEvent[] = [];
  made.onEvent((event) => events.push(event));
  const states = (id: string) =>
    events.flatMap((event) => (event.type === "state" && event.guest === id ? [event.state] : []));
  return { made, events, states };
}

const guestOf = (...words: number[]): HostedGuestOptions => ({ kernel: program(...words), memory: "16M" });
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function file(path: string): Promise<Uint8Array> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

describe("guests of a few instructions", () => {
  it("run side by side, stand still alone, and crash alone", async () => {
    const { made, states } = hypervisor();
    const [good, bad] = [made.create("good", guestOf(SPIN)), made.create("bad", guestOf(EBREAK))];
    await Promise.all([good.boot(), bad.boot()]);
    if (bad.state !== "crashed") await bad.wait();
    expect(bad.lastEnd?.error).toMatchObject({ name: "GuestCrash", kind: "double-fault" });
    await good.pause();
    const { instructions } = await good.statistics();
    expect((await good.statistics()).instructions).toBe(instructions);
    await good.resume();
    await expect.poll(async () => (await good.statistics()).instructions).toBeGreaterThan(instructions);
    expect((await good.statistics()).busySeconds).toBeGreaterThan(0);
    expect(await good.stop(100)).toMatchObject({ exit: { reason: "closed" } });
    expect(states("good")).toEqual(["booting", "running", "paused", "running", "stopping", "stopped"]);
    expect(states("bad")).toEqual(["booting", "running", "crashed"]);
  });

  it("can be booted again, and refuse what their state does not allow", async () => {
    const { made, states } = hypervisor();
    const guest = made.create("one", guestOf(...systemReset(0)));
    await expect(guest.pause()).rejects.toThrow(GuestStateError);
    for (const _ of [1, 2]) {
      await guest.boot();
      const end = guest.state === "stopped" ? guest.lastEnd : await guest.wait();
      expect(end).toMatchObject({ exit: { reason: "power-off", status: 0 } });
    }
    expect(states("one")).toEqual(["booting", "running", "stopped", "booting", "running", "stopped"]);
  });

  it("are held to their policies", async () => {
    const { made, events } = hypervisor();
    const guest = made.create("one", { ...guestOf(...systemReset(0), SPIN), policy: { calls: { deny: ["srst"] } } });
    await guest.boot();
    const refusals = () => events.flatMap((event) => (event.type === "refusal" ? [event.refusal] : []));
    await expect.poll(refusals).toMatchObject([{ eid: 0x5352_5354, fid: 0, reason: "denied" }]);
    expect(guest.state).toBe("running");
  });

  it("that do not fit are refused with the figures", () => {
    const { made } = hypervisor(60 * MIB);
    made.create("one", guestOf(SPIN));
    expect(() => made.create("two", guestOf(SPIN))).toThrow(HostError);
    expect(() => made.create("two", guestOf(SPIN))).toThrow(/guest two needs 56 MiB, and 4 MiB of 60 MiB are left/);
  });
});

describe("a program without an operating system", () => {
  it("speaks to the page, and writes to a disk that is shared with it", async () => {
    const { made } = hypervisor();
    const disk = new Uint8Array(new SharedArrayBuffer(MIB)).fill(7);
    const guest = made.create("probe", {
      kernel: await file("/bench/probe/probe.elf"),
      memory: "16M",
      console: "ns16550a",
      append: "control=uart;block=virtio op=write count=4",
      disks: [{ bytes: disk, if: "virtio" }],
    });
    await guest.boot();
    if (guest.state === "running") await guest.wait();
    await expect.poll(() => text(guest.consoleTail)).toMatch(/^probe: result 1 .* errors=0\b/m);
    expect(disk.some((byte) => byte !== 7)).toBe(true);
  });
});

describe("two Debian guests", () => {
  it("run commands and reach each other through a switch", { timeout: 300_000 }, async () => {
    const { made } = hypervisor();
    const [kernel, initrd] = await Promise.all([file("/guest/kernel"), file("/guest/initrd")]);
    const [one, two] = [1, 2].map((n) =>
      made.create(`guest-${n}`, {
        ...{ kernel, initrd, exec: true, memory: "256M" },
        nets: [{ switch: "lan", address: `10.0.0.${n}/24`, mac: `52:54:00:00:00:0${n}` }],
      }),
    );
    await Promise.all([one.boot(), two.boot()]);
    await Promise.all([one.ready(), two.ready()]);
    const { status, stdout } = await one.exec("ping -c 3 -W 20 10.0.0.2");
    expect([status, text(stdout)]).toEqual([0, expect.stringContaining("3 packets received")]);
    expect(await two.stop()).toMatchObject({ exit: { reason: "power-off", status: 0 } });
    expect((await one.exec("true")).status).toBe(0);
  });
});
