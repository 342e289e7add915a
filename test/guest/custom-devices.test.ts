// Devices that the caller defines, driven by guests of a few instructions.
import { describe, expect, it } from "vitest";
import { createGuest, defineDevice, OptionError } from "../../src/index.ts";
import { addi, lui, lw, program, sb, sw, systemReset } from "./instructions.ts";

const [T0, A0] = [5, 10];
const WINDOW = lui(T0, 0x4000);

const adder = defineDevice({
  name: "adder",
  form: "emulated",
  compatible: ["test,adder"],
  size: 0x1000,
  interrupt: true,
  state: () => ({ sum: 0, mode: 0 }),
  registers: {
    ADD: {
      offset: 0,
      write: ({ state }, value) => {
        state.sum += value;
      },
    },
    SUM: { offset: 4, read: (d) => d.state.sum },
    MODE: {
      offset: 8,
      size: 1,
      write: ({ state }, value) => {
        state.mode = value;
      },
    },
  },
});

const run = (...instructions: number[]) =>
  createGuest({ kernel: program(WINDOW, ...instructions, ...systemReset(0)), memory: "16M", devices: [adder] });

describe("a device of the caller's", () => {
  it("has its registers read and written, counted by name", async () => {
    const guest = await run(addi(A0, 0, 5), sw(T0, A0, 0), sw(T0, A0, 0), lw(A0, T0, 4), sw(T0, A0, 0));
    await guest.wait();
    expect(guest.device("adder").state).toEqual({ sum: 20, mode: 0 });
    const counts = guest.counters().filter(({ name }) => name === "adder");
    expect(counts.map(({ registerName, direction, count }) => [registerName, direction, count])).toEqual([
      ["ADD", "write", 3n],
      ["SUM", "read", 1n],
    ]);
  });

  it("sees values as unsigned and cut to the register, and no access of another width", async () => {
    const guest = await run(addi(A0, 0, -1), sw(T0, A0, 0), sb(T0, A0, 8), sw(T0, A0, 8), sb(T0, A0, 0));
    await guest.wait();
    expect(guest.device("adder").state).toEqual({ sum: 0xffff_ffff, mode: 255 });
  });

  it("keeps its state apart in each guest, and as a copy that can be put back", async () => {
    const [one, two] = await Promise.all([run(addi(A0, 0, 1), sw(T0, A0, 0)), run(addi(A0, 0, 2), sw(T0, A0, 0))]);
    await Promise.all([one.wait(), two.wait()]);
    const saved = one.device("adder").save();
    expect([saved, two.device("adder").state]).toEqual([
      { sum: 1, mode: 0 },
      { sum: 2, mode: 0 },
    ]);
    two.device("adder").restore(saved);
    expect(two.device("adder").state).toEqual(saved);
    expect(two.device("adder").state).not.toBe(saved);
  });

  it("ends the guest, not the process, with its own error", async () => {
    const broken = defineDevice({
      name: "broken",
      form: "emulated",
      compatible: ["test,broken"],
      size: 4,
      state: () => null,
      registers: {
        FAIL: {
          offset: 0,
          write: (d) => d.interrupt(true),
        },
      },
    });
    const kernel = program(WINDOW, sw(T0, 0, 0));
    const guest = await createGuest({ kernel, memory: "16M", devices: [broken] });
    await expect(guest.wait()).rejects.toThrow("device broken has no interrupt: define it with interrupt: true");
  });

  it("is refused twice, and unknown by another name", async () => {
    const kernel = program(...systemReset(0));
    await expect(createGuest({ kernel, devices: [adder, adder] })).rejects.toThrow(OptionError);
    const guest = await createGuest({ kernel, memory: "16M", devices: [adder] });
    expect(() => guest.device("other")).toThrow("this guest has no device other: give it in devices");
    await guest.wait();
  });
});
