// Forms for what a guest's options leave open: chosen, refused, and told of.
import { beforeAll, describe, expect, it } from "vitest";
import { unpluggedNet } from "../../src/backend/unplugged-net.ts";
import { settleForms } from "../../src/compat/settle.ts";
import type { GuestOptions } from "../../src/guest/options.ts";
import { CompatibilityError, createGuest, type HardwareModel, hardwareModel, OptionError } from "../../src/index.ts";
import { nodePlatform } from "../../src/platform/node/platform.ts";
import { addi, ECALL, lui, program, systemReset } from "../guest/instructions.ts";
import { wholeKernel } from "./kernel.ts";

const FIRMWARE = new Uint8Array([0x6f, 0, 0, 0]);
const platform = { ...nodePlatform, loadFirmware: async () => FIRMWARE };
const disk = () => ({ bytes: new Uint8Array(512) });
const net = () => ({ backend: unpluggedNet() });

let hardware: HardwareModel;
beforeAll(async () => {
  hardware = await hardwareModel();
});

/** This host's model without the devices that `out` fits. */
const without = (out: RegExp): HardwareModel => ({
  ...structuredClone(hardware),
  devices: hardware.devices.filter(({ device }) => !out.test(device)),
});

async function settle(
  options: GuestOptions,
): Promise<{ options: GuestOptions; notices: string[]; virtioConsole: boolean }> {
  const notices: string[] = [];
  const given = { kernel: wholeKernel(), onNotice: (line: string) => notices.push(line), ...options };
  const { options: settled, standard } = await settleForms(platform, given);
  return { options: settled, notices, virtioConsole: standard.virtioConsole };
}

const forms = ({ boot = "paravirt", console, disks = [], nets = [] }: GuestOptions) => ({
  ...{ boot, console },
  disks: disks.map((it) => it.if),
  nets: nets.map((it) => it.model),
});

describe("nothing asked for", () => {
  it("is nothing changed", async () => {
    const options: GuestOptions = { kernel: new Uint8Array(3), disks: [disk()] };
    expect(await settleForms(platform, options)).toEqual({
      options,
      standard: { virtioConsole: true, entropy: true },
    });
  });
});

describe("prefer", () => {
  it.each([
    ["paravirt", { boot: "paravirt", console: "virtio", disks: ["virtio", "virtio"], nets: ["virtio"] }],
    ["direct", { boot: "paravirt", console: "virtio", disks: ["virtio", "virtio"], nets: ["virtio"] }],
    ["emulated", { boot: "firmware", console: "ns16550a", disks: ["nvme", "nvme"], nets: ["e1000"] }],
  ] as const)("%s", async (prefer, expected) => {
    const { options, notices } = await settle({ prefer, disks: [disk(), disk()], nets: [net()] });
    expect(forms(options)).toEqual(expected);
    expect(notices).toEqual([]);
    expect(options.irqchip).toBe(prefer === "direct" ? "aia" : undefined);
  });

  it("leaves alone what is told", async () => {
    const { options } = await settle({
      ...{ prefer: "emulated", boot: undefined, console: "virtio" },
      disks: [{ ...disk(), if: "virtio" }, { ...disk(), queues: 2 }, disk()],
      nets: [
        { ...net(), model: "e1000e" },
        { ...net(), transport: "mmio" },
      ],
    });
    expect(forms(options)).toEqual({
      ...{ boot: "firmware", console: "virtio" },
      ...{ disks: ["virtio", undefined, "nvme"], nets: ["e1000e", undefined] },
    });
  });

  it("takes the next interface when the places of one are taken", async () => {
    const { options } = await settle({ prefer: "emulated", disks: Array.from({ length: 6 }, disk) });
    expect(options.disks?.map((it) => it.if)).toEqual(["nvme", "nvme", "nvme", "nvme", "ahci", "ahci"]);
  });

  it("falls back where a driver is missing, and says so once", async () => {
    const kernel = wholeKernel(/^(virtio_blk|virtio_net)$/);
    const { options, notices } = await settle({ kernel, prefer: "paravirt", disks: [disk(), disk()], nets: [net()] });
    expect(forms(options)).toEqual({ boot: "paravirt", console: "virtio", disks: ["nvme", "nvme"], nets: ["e1000"] });
    expect(options.disks?.map((it) => it.doorbellBuffer)).toEqual([true, true]);
    expect(notices).toEqual([
      expect.stringMatching(
        /^network cannot be paravirt \(virtio-net lacks module virtio_net, .*\): takes e1000, emulated$/,
      ),
    ]);
  });
});

describe("a program without a driver for any console", () => {
  it("keeps the default", async () => {
    const { options, notices } = await settle({ kernel: program(0x6f), prefer: "paravirt" });
    expect([options.console, notices]).toEqual([undefined, []]);
  });
});

describe("require", () => {
  it("is met, or refused with what is missing", async () => {
    expect(forms((await settle({ require: "paravirt", disks: [disk()] })).options)).toMatchObject({
      disks: ["virtio"],
    });
    const kernel = wholeKernel(/^virtio_net$/);
    const error = await settle({ kernel, require: "paravirt", nets: [net()] }).catch((it) => it);
    expect(error).toBeInstanceOf(CompatibilityError);
    expect(error.message).toMatch(/^network cannot be paravirt: virtio-net lacks module virtio_net/);
    expect(error.missing).toEqual([
      { function: "network", device: "virtio-net", missing: expect.stringMatching(/virtio_net/) },
    ]);
  });

  it.each<[GuestOptions, RegExp]>([
    [
      { require: "paravirt", disks: [{ bytes: new Uint8Array(512), if: "nvme" }] },
      /takes nvme, which is emulated, and paravirt is required/,
    ],
    [{ require: "emulated", console: "virtio" }, /takes virtio-console, which is paravirt, and emulated is required/],
    [
      { require: "paravirt", hotplugMemory: "64M", kernel: wholeKernel(/^virtio_mem$/) },
      /hotplugMemory: virtio-mem lacks module virtio_mem/,
    ],
    [{ require: "paravirt", kernel: wholeKernel(/^TIME$/) }, /boot cannot be paravirt: sbi-timer lacks/],
  ])("%j", async (options, message) => {
    await expect(settle(options)).rejects.toThrow(message);
  });

  it("contradicts another preference", async () => {
    await expect(settle({ require: "paravirt", prefer: "emulated" })).rejects.toThrow(OptionError);
    await expect(settle({ prefer: "virtual" as "direct" })).rejects.toThrow(
      /is no form: write emulated, paravirt, direct/,
    );
  });
});

describe("hardware", () => {
  it("without virtio and SBI gives the same guest in full virtualization, with the reasons", async () => {
    const model = without(/^(virtio|sbi|net-switch)/);
    const { options, notices, virtioConsole } = await settle({ hardware: model, disks: [disk()], nets: [net()] });
    expect(forms(options)).toEqual({ boot: "firmware", console: "ns16550a", disks: ["nvme"], nets: ["e1000"] });
    expect(options.firmware).toBe(FIRMWARE);
    expect(virtioConsole).toBe(false);
    expect(notices.join("\n")).toMatch(
      /boot cannot be paravirt \(sbi-timer lacks device sbi-timer, which the hardware does not offer/,
    );
    expect(notices.join("\n")).toMatch(/console cannot be paravirt \(virtio-console lacks device virtio-console/);
  });

  it.each<[GuestOptions, RegExp]>([
    [{ exec: true }, /exec needs virtio-agent-port: the hardware model does not offer it/],
    [
      { disks: [{ bytes: new Uint8Array(512), if: "virtio" }] },
      /disk 0 needs virtio-blk: the hardware model does not offer it/,
    ],
    [{ balloon: true }, /balloon needs virtio-balloon/],
    [{ boot: "paravirt" }, /boot cannot be paravirt: sbi-timer lacks/],
    [{ require: "paravirt" }, /boot cannot be paravirt/],
  ])("that is not there cannot be asked for: %j", async (options, message) => {
    const error = await settle({ hardware: without(/^(virtio|sbi)/), ...options }).catch((it) => it);
    expect(error).toBeInstanceOf(CompatibilityError);
    expect(error.message).toMatch(message);
  });

  it("with neither form of something is refused", async () => {
    await expect(settle({ hardware: without(/blk|nvme|ahci/), disks: [disk()] })).rejects.toThrow(
      /block cannot work in any form: /,
    );
    await expect(settle({ hardware: without(/^(sbi|clint)/) })).rejects.toThrow(/boot cannot work in any form/);
  });

  it("with fewer extensions has harts with fewer", async () => {
    const isa = hardware.isa.replace("_sstc", "").replace("_zbb", "");
    const { options } = await settle({ hardware: { ...hardware, isa }, cpu: "rv64,zba=off" });
    expect(options.cpu).toMatch(/^rv64,zba=off,zbb=off,.*sstc=off/);
    expect(options.cpu).not.toMatch(/sv48|zbs/);
  });
});

describe("calls of SBI", () => {
  const PMU = 0x50_4d55;
  /** Asks for the number of counters, and switches itself off. */
  const asker = () =>
    program(lui(17, (PMU + 0x800) >>> 12), addi(17, 17, (PMU << 20) >> 20), addi(16, 0, 0), ECALL, ...systemReset(0));

  it("that the model does not offer are not granted", async () => {
    const options = { memory: "16M", kernel: asker() };
    const refusals = async (given: HardwareModel) => {
      const guest = await createGuest({ ...options, hardware: given });
      await guest.wait();
      return guest.refusals;
    };
    expect(await refusals(hardware)).toBe(0n);
    expect(await refusals(without(/^sbi-pmu$/))).toBe(1n);
  });

  it("are denied beside what a policy denies", async () => {
    const { options } = await settle({ hardware: without(/^sbi-pmu$/), policy: { calls: { deny: ["sta"] } } });
    expect(options.policy).toEqual({ calls: { deny: ["sta", "pmu"] } });
  });
});
