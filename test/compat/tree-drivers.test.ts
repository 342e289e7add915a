// A device tree as a driver set: QEMU's own of its virt board, ours, and trees with devices of PCI.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkGuest, type HardwareModel, hardwareModel, type Verdict } from "../../src/index.ts";
import { type DeviceTreeNode, encodeDeviceTree, node } from "../../src/machine/device-tree.ts";
import { paravane } from "../cli/cli.ts";
import { staticProgram } from "../guest/elf-files.ts";
import { wholeKernel } from "./kernel.ts";

const folder = mkdtempSync(join(tmpdir(), "paravane-dtb-"));
let own: HardwareModel;
beforeAll(async () => {
  own = await hardwareModel();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const of = (verdicts: readonly Verdict[], id: string) => verdicts.find(({ device }) => device === id) as Verdict;
const working = (verdicts: readonly Verdict[]) => verdicts.filter(({ works }) => works).map(({ device }) => device);
const check = (...children: DeviceTreeNode[]) => checkGuest({ dtb: encodeDeviceTree(node("", {}, children)) });

describe("a device tree as a driver set", () => {
  it("of QEMU's virt board, as QEMU has it, drives the devices of that board", async () => {
    const dtb = join(folder, "virt.dtb");
    const dump = ["-machine", `virt,dumpdtb=${dtb}`, "-display", "none"];
    expect(spawnSync("qemu-system-riscv64", dump).status).toBe(0);
    const verdicts = await checkGuest({ dtb });
    expect(working(verdicts)).toEqual(
      expect.arrayContaining(["plic", "clint-timer", "clint-ipi", "goldfish-rtc", "finisher", "ns16550a", "pcie"]),
    );
    expect(working(verdicts)).toEqual(expect.arrayContaining(["virtio-blk", "virtio-net", "virtio-rng", "sstc"]));
    for (const id of ["nvme", "e1000", "sbi-timer", "aia"]) expect(of(verdicts, id).works, id).toBe(false);
    expect(of(verdicts, "nvme").missing).toBe("a node for pci:class:010802, of which the device tree has none");
  });

  it("names functions of PCI with or without zeros in front, and none that is disabled", async () => {
    const nodes = (status: string) => [
      node("pci", { compatible: "pci-host-ecam-generic", status }, [
        node("a@1", { compatible: ["pci8086,100e"] }),
        node("b@2", { compatible: "pciclass,010802" }),
        node("c@3", { compatible: "pci8086,10D3" }),
      ]),
    ];
    expect(working(await check(...nodes("okay")))).toEqual(expect.arrayContaining(["e1000", "e1000e", "nvme"]));
    const off = await check(...nodes("disabled"));
    for (const id of ["e1000", "e1000e", "nvme", "pcie"]) expect(of(off, id).works, id).toBe(false);
  });

  it("knows a hart's extensions by both bindings", async () => {
    const cpus = (properties: DeviceTreeNode["properties"]) => node("cpus", {}, [node("cpu@0", properties)]);
    expect(of(await check(cpus({ "riscv,isa": "rv64imac_sstc" })), "sstc").works).toBe(true);
    expect(of(await check(cpus({ "riscv,isa-extensions": ["i", "sstc", "zkr"] })), "zkr").works).toBe(true);
    expect(of(await check(cpus({ "riscv,isa": "nonsense" })), "sstc").works).toBe(false);
  });

  it("adds to what a program's code shows, and has no business with Linux", async () => {
    const kernel = staticProgram(wholeKernel(/^IPI$/, { release: "", of: ["sifive,plic-1.0.0"] }));
    const dtb = encodeDeviceTree(node("", {}, [node("serial", { compatible: "ns16550a" })]));
    expect(of(await checkGuest({ kernel }), "ns16550a").works).toBe(false);
    const both = await checkGuest({ kernel, dtb });
    expect([of(both, "ns16550a").works, of(both, "plic").works]).toEqual([true, true]);
    await expect(checkGuest({ kernel: wholeKernel(), dtb })).rejects.toThrow(/the kernel is Linux: leave one out/);
  });

  it("is an option of the command, which says what is wrong with it", async () => {
    const dtb = join(folder, "tree.dtb");
    writeFileSync(dtb, encodeDeviceTree(node("", {}, [node("serial", { compatible: "ns16550a" })])));
    const { status, stdout } = await paravane("check", "--dtb", dtb, "--json");
    expect([status, of(JSON.parse(stdout), "ns16550a").works]).toEqual([0, true]);
    writeFileSync(dtb, readFileSync(dtb).subarray(0, 60));
    expect(await paravane("check", "--dtb", dtb)).toMatchObject({ status: 1, stdout: "" });
  });
});

describe("the hypervisor's own calls", () => {
  const calls = async (options: Parameters<typeof checkGuest>[0]) => of(await checkGuest(options), "/dev/paravane");
  const kernel = wholeKernel();

  it("are within reach of a guest that calls us, if they are granted", async () => {
    expect(await calls({ kernel })).toMatchObject({ function: "hypercalls", form: "paravirt", works: true });
    expect(await calls({ kernel, policy: { calls: { deny: ["pmu"] } } })).toMatchObject({ works: true });
    expect(await calls({ kernel, policy: { calls: { deny: ["paravane"] } } })).toMatchObject({
      works: false,
      missing: "a grant of paravane in the policy",
    });
    await expect(calls({ kernel, policy: { calls: { deny: ["nonsense"] } } })).rejects.toThrow(/there is no such call/);
  });

  it("are not where ecalls reach the guest's own firmware", async () => {
    const missing = "a paravirtual boot: ecalls reach the guest's own firmware";
    expect(await calls({ kernel, firmware: staticProgram(new Uint8Array(4)) })).toMatchObject({
      works: false,
      missing,
    });
    expect(await calls({ kernel, prefer: "emulated" })).toMatchObject({ works: false, missing });
    const devices = own.devices.filter(({ device }) => device !== "sbi-hsm");
    expect(await calls({ kernel, hardware: { ...own, devices } })).toMatchObject({
      works: false,
      missing: `${missing}, by which the hardware has to boot without sbi-hsm`,
    });
  });

  it("need a kernel that takes modules", async () => {
    const fixed = wholeKernel(/^$/, { config: "CONFIG_SMP=y\n" });
    expect(await calls({ kernel: fixed })).toMatchObject({ works: false, missing: "CONFIG_MODULES in the kernel" });
  });
});
