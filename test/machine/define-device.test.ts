import { describe, expect, it } from "vitest";
import { type DeviceDefinition, defineDevice } from "../../src/machine/define-device.ts";
import type { VirtioDefinition } from "../../src/machine/define-virtio.ts";
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
  ["form", { form: "direct" as never }, /form "direct" cannot be: write emulated or virtio/],
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

const queues: VirtioDefinition<object>["queues"] = [{ name: "requests", handle() {} }];
const virtio: VirtioDefinition<object> = { name: "dice", form: "virtio", id: 4, state: () => ({}), queues };

const wrongVirtio: [what: string, change: Partial<VirtioDefinition<object>>, message: RegExp][] = [
  ["name", { name: "a b" }, /"a b" is no name for a device/],
  ["id", { id: 64 }, /id 64 cannot be: write 1 to 63/],
  ["feature", { features: [3, 24] }, /feature 24 cannot be: write bits from 0 to 23/],
  ["configuration", { config: new Uint8Array(65) }, /65 bytes of configuration space cannot be: write at most 64/],
  ["number of queues", { queues: [] }, /0 queues cannot be: write 1 to 16/],
  ["names of queues", { queues: [...queues, ...queues] }, /two queues have one name/],
  ["size of queues", { queueSize: 48 }, /queueSize 48 cannot be: write a power of two up to 256/],
];

describe("defineDevice", () => {
  it.each(wrongVirtio)("refuses a virtio device's wrong %s", (_what, change, message) => {
    expect(defineDevice(virtio).name).toBe("dice");
    expect(() => defineDevice({ ...virtio, ...change })).toThrow(message);
  });

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
      interrupts: [64],
      "interrupt-parent": 17,
      "acme,sides": 6,
    });
  });
});
