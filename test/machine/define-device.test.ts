import { describe, expect, it } from "vitest";
import { type DeviceDefinition, defineDevice } from "../../src/machine/define-device.ts";
import { machineTree } from "../../src/machine/virt.ts";

const good: DeviceDefinition<{ value: number }> = {
  name: "acme-dice",
  form: "emulated",
  compatible: ["acme,dice"],
  size: 0x100,
  state: () => ({ value: 0 }),
  registers: { VALUE: { offset: 0 }, FLAGS: { offset: 4, size: 1 } },
};

const wrong: [what: string, change: Partial<DeviceDefinition<{ value: number }>>, message: RegExp][] = [
  ["name", { name: "a b" }, /"a b" is no name for a device/],
  ["form", { form: "direct" as never }, /form "direct" cannot be: write emulated/],
  ["compatible", { compatible: [] }, /compatible needs at least one string/],
  ["compatible string", { compatible: ["a b"] }, /without spaces/],
  ["window", { size: 6 }, /6 bytes cannot be: write a multiple of 4/],
  ["large window", { size: 1 << 21 }, /at most 1048576/],
  ["property", { properties: { reg: [0, 1] } }, /property reg follows from the rest/],
  ["register past the end", { registers: { R: { offset: 0x100 } } }, /register R: offset 256 cannot be.*below 256/],
  ["register across", { registers: { R: { offset: 2 } } }, /a multiple of 4/],
  ["register width", { registers: { R: { offset: 0, size: 8 as never } } }, /8 bytes cannot be/],
  ["overlap", { registers: { A: { offset: 0 }, B: { offset: 2, size: 2 } } }, /register B overlaps A/],
];

describe("defineDevice", () => {
  it.each(wrong)("refuses a wrong %s, saying what to write", (_what, change, message) => {
    expect(() => defineDevice({ ...good, ...change })).toThrow(message);
  });

  it("gives a device that the device tree names", () => {
    const { definition } = defineDevice({ ...good, interrupt: true, properties: { "acme,sides": 6 } });
    const tree = machineTree({
      ramBytes: 16 << 20,
      harts: 1,
      extensions: 0n,
      boot: "paravirt",
      bootargs: "",
      console: "sbi",
      rngSeed: new Uint8Array(32),
      devices: [definition],
    });
    const soc = tree.children.find(({ name }) => name === "soc");
    expect(soc?.children.find(({ name }) => name === "acme-dice@4000000")?.properties).toEqual({
      compatible: ["acme,dice"],
      reg: [0, 0x400_0000, 0, 0x100],
      interrupts: 64,
      "interrupt-parent": 17,
      "acme,sides": 6,
    });
  });
});
