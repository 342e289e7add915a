// Guests of a few instructions in workers of their own: their states, what is told of them, what
// they may take, and that the end of one is nobody else's.
import { afterEach, describe, expect, it } from "vitest";
import {
  createHypervisor,
  type GuestCrash,
  type GuestEvent,
  GuestStateError,
  HostError,
  type Hypervisor,
  type HypervisorOptions,
  OptionError,
} from "../../src/index.ts";
import type { HostedGuestOptions } from "../../src/platform/node/hypervisor.ts";
import { addi, program, systemReset } from "../guest/instructions.ts";

const SPIN = 0x6f;
const WFI = 0x1050_0073;
const JUMP_BACK = 0xffdf_f06f;
const EBREAK = 0x0010_0073;
const MIB = 1024 * 1024;
/** Of a guest with 16 MiB: its memory, the code cache, the engine. */
const NEED = (16 + 16 + 24) * MIB;

const open: Hypervisor<HostedGuestOptions>[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((it) => it.close()));
});

function hypervisor(options: HypervisorOptions = {}) {
  const made = createHypervisor(options);
  open.push(made);
  const events: GuestEvent[] = [];
  made.onEvent((event) => events.push(event));
  const states = (id: string) =>
    events.flatMap((event) => (event.type === "state" && event.guest === id ? [event.state] : []));
  return { made, events, states };
}

const guestOf = (...words: number[]): HostedGuestOptions => ({ kernel: program(...words), memory: "16M" });

describe("a hosted guest", () => {
  it("goes from created over running to stopped, and can be booted again", async () => {
    const { made, states } = hypervisor();
    const guest = made.create("one", guestOf(...systemReset(0)));
    expect(guest.state).toBe("created");
    await guest.boot();
    const end = guest.state === "stopped" ? guest.lastEnd : await guest.wait();
    expect(end).toMatchObject({ exit: { reason: "power-off", status: 0 } });
    expect(guest.state).toBe("stopped");
    await guest.boot();
    if (guest.state !== "stopped") await guest.wait();
    expect(states("one")).toEqual(["booting", "running", "stopped", "booting", "running", "stopped"]);
  });

  it("stands still while it is paused", async () => {
    const { made, states } = hypervisor();
    const guest = made.create("one", guestOf(SPIN));
    await guest.boot();
    await guest.pause();
    const { instructions } = await guest.statistics();
    expect((await guest.statistics()).instructions).toBe(instructions);
    await guest.resume();
    await expect.poll(async () => (await guest.statistics()).instructions).toBeGreaterThan(instructions);
    expect(await guest.stop(100)).toMatchObject({ exit: { reason: "closed" } });
    expect(states("one")).toEqual(["booting", "running", "paused", "running", "stopping", "stopped"]);
  });

  it("is reset with its instructions from the beginning", async () => {
    const { made, states } = hypervisor();
    const guest = made.create("one", guestOf(WFI, JUMP_BACK));
    await guest.boot();
    await guest.reset();
    expect((await guest.statistics()).instructions).toBeLessThan(20);
    expect(states("one")).toEqual(["booting", "running", "stopped", "booting", "running"]);
  });

  it("refuses what its state does not allow, and says when it would do it", async () => {
    const { made } = hypervisor();
    const guest = made.create("one", guestOf(SPIN));
    await expect(guest.pause()).rejects.toThrow("guest one is created: it can be paused when it is running");
    await expect(guest.stop()).rejects.toThrow(GuestStateError);
    await expect(guest.wait()).rejects.toThrow(GuestStateError);
    await expect(guest.exec("true")).rejects.toThrow(
      "guest one is created: it can do that when it is running or paused",
    );
    await guest.boot();
    await expect(guest.boot()).rejects.toThrow(
      "guest one is running: it can be booted when it is created, stopped or crashed",
    );
    await expect(guest.exec("true")).rejects.toThrow("create it with exec: true");
    await guest.destroy();
    await expect(guest.boot()).rejects.toThrow("guest one is destroyed");
    await guest.destroy();
  });

  it("that cannot be made says why, and is as it was", async () => {
    const { made, states } = hypervisor();
    const guest = made.create("one", { kernel: new Uint8Array(100), memory: "16M" });
    await expect(guest.boot()).rejects.toThrow(/kernel/);
    expect(guest.state).toBe("created");
    const missing = made.create("two", { kernel: "no such file", memory: "16M" });
    await expect(missing.boot()).rejects.toThrow(OptionError);
    expect(states("one")).toEqual(["booting", "created"]);
  });

  it("crashes alone", async () => {
    const { made, states } = hypervisor();
    const [good, bad] = [made.create("good", guestOf(SPIN)), made.create("bad", guestOf(EBREAK))];
    await Promise.all([good.boot(), bad.boot()]);
    if (bad.state !== "crashed") await bad.wait();
    const error = bad.lastEnd?.error as GuestCrash;
    expect(error.name).toBe("GuestCrash");
    expect(error).toMatchObject({ kind: "double-fault", site: { hart: 0 } });
    expect(states("bad").at(-1)).toBe("crashed");
    expect(good.state).toBe("running");
    expect((await good.statistics()).instructions).toBeGreaterThan(0);
  });

  it("whose options are no plain data is refused", async () => {
    const { made } = hypervisor();
    const guest = made.create("one", { ...guestOf(SPIN), disks: [{ backend: { read() {} } as never }] });
    await expect(guest.boot()).rejects.toThrow(/guest one: .*plain data/);
    expect(guest.state).toBe("created");
  });

  it("ends whatever waits for it", async () => {
    const { made } = hypervisor();
    const guest = made.create("one", guestOf(addi(0, 0, 0), SPIN));
    await guest.boot();
    const end = guest.wait();
    await guest.destroy();
    expect(await end).toMatchObject({ exit: { reason: "closed" } });
    expect(made.guests.size).toBe(0);
  });
});

describe("guests that want more than there is", () => {
  it("run by the weights of their policies", async () => {
    const { made } = hypervisor({ cores: 1 });
    const weighted = (weight: number) => ({ ...guestOf(SPIN), policy: { guest: { cpu: { weight } } } });
    const [light, heavy] = [made.create("light", weighted(100)), made.create("heavy", weighted(300))];
    await Promise.all([light.boot(), heavy.boot()]);
    const both = () => Promise.all([light.statistics(), heavy.statistics()]);
    // The later one of them was alone for a while, and behind that for a moment.
    await expect.poll(async () => (await both()).every(({ heldBackSeconds }) => heldBackSeconds > 0.05)).toBe(true);
    const before = await both();
    await expect
      .poll(async () => (await light.statistics()).ranSeconds, { timeout: 30_000 })
      .toBeGreaterThan(before[0].ranSeconds + 0.5);
    const after = await both();
    const grown = (key: "ranSeconds" | "instructions") => after.map((it, n) => it[key] - before[n][key]);
    const [lightRan, heavyRan] = grown("ranSeconds");
    // Times are what is shared out. Instructions follow them as far as the host gives both threads the same speed.
    expect(heavyRan / lightRan).toBeGreaterThan(2.5);
    expect(heavyRan / lightRan).toBeLessThan(3.5);
    const [lightDid, heavyDid] = grown("instructions");
    expect(heavyDid / lightDid).toBeGreaterThan(1.5);
    expect(heavyDid / lightDid).toBeLessThan(6);
  });
});

describe("a hypervisor", () => {
  it.each([0, 1.5, 5000, Number.NaN])("of %d cores is refused", (cores) => {
    expect(() => createHypervisor({ cores })).toThrow(`cores ${cores} cannot be: write a whole number from 1 to 1024`);
  });

  it("refuses the guest that does not fit, with the figures, until another is destroyed", async () => {
    const { made } = hypervisor({ memory: 2 * NEED + 10 * MIB });
    const [one] = ["one", "two"].map((id) => made.create(id, guestOf(SPIN)));
    expect(made.reserved).toBe(2 * NEED);
    expect(() => made.create("three", guestOf(SPIN))).toThrow(HostError);
    expect(() => made.create("three", guestOf(SPIN))).toThrow(
      /guest three needs 56 MiB, and 10 MiB of 122 MiB are left/,
    );
    await one.destroy();
    expect(made.create("three", guestOf(SPIN)).state).toBe("created");
  });

  it("refuses names that are none, or taken, and memory that is no size", () => {
    const { made } = hypervisor();
    made.create("one", guestOf(SPIN));
    expect(() => made.create("one", guestOf(SPIN))).toThrow(/there is a guest one/);
    for (const id of ["", "-a", "a/b", "a".repeat(65), "é"]) {
      expect(() => made.create(id, guestOf(SPIN))).toThrow(/is no name for a guest/);
    }
    expect(() => made.create("two", { ...guestOf(SPIN), memory: "much" })).toThrow(OptionError);
    expect(() => made.get("nobody")).toThrow(/there is no guest nobody/);
    expect(() => createHypervisor({ memory: 0.5 })).toThrow(OptionError);
  });

  it("is closed with all its guests", async () => {
    const { made, states } = hypervisor();
    await Promise.all(["one", "two"].map((id) => made.create(id, guestOf(SPIN)).boot()));
    await made.close();
    expect(states("one").at(-1)).toBe("destroyed");
    expect(states("two").at(-1)).toBe("destroyed");
    expect(() => made.create("three", guestOf(SPIN))).toThrow(/closed/);
  });
});
