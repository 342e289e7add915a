import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ALL_EXTENSIONS, parseCpu } from "../../src/machine/cpu.ts";
import type { DeviceTreeNode } from "../../src/machine/device-tree.ts";
import { FIRMWARE_SLACK, type MachineConfig, machineDeviceTree, machineTree } from "../../src/machine/virt.ts";
import { DTC_MISSING, decompile } from "./dtc.ts";

const config = (changes: Partial<MachineConfig> = {}): MachineConfig => ({
  ramBytes: 512 * 2 ** 20,
  harts: 1,
  extensions: ALL_EXTENSIONS,
  boot: "paravirt",
  bootargs: "console=ttyS0",
  console: "ns16550a",
  rngSeed: new Uint8Array(32).fill(5),
  ...changes,
});

function find(tree: DeviceTreeNode, path: string): DeviceTreeNode | undefined {
  return path
    .split("/")
    .reduce<DeviceTreeNode | undefined>((at, name) => at?.children.find((child) => child.name === name), tree);
}

function requireTool(missing: string | undefined, skip: (reason: string) => void): void {
  if (missing === undefined) return;
  if (process.env.CI) throw new Error(missing);
  skip(missing);
}

describe("the machine's device tree", () => {
  const machines: [string, MachineConfig][] = [
    ["one hart", config()],
    ["eight harts and an initrd", config({ harts: 8, initrd: { start: 0x8240_0000, end: 0x8290_0001 } })],
    ["firmware", config({ boot: "firmware", harts: 2 })],
    ["advanced interrupts, eight harts", config({ irqchip: "aia", harts: 8 })],
    ["advanced interrupts, firmware", config({ irqchip: "aia", boot: "firmware", harts: 2 })],
    [
      "3 GiB, virtio console, few extensions",
      config({ ramBytes: 3 * 2 ** 30, console: "virtio", extensions: parseCpu("rv64,d=off,f=off,sstc=off") }),
    ],
  ];

  it.for(machines)("decompiles without a warning: %s", ([, machine], { skip }) => {
    requireTool(DTC_MISSING, skip);
    expect(decompile(machineDeviceTree(machine)).warnings).toBe("");
  });

  it("describes CLINT to firmware alone, and gives firmware room to grow the tree", () => {
    const paravirt = machineTree(config());
    const firmware = machineTree(config({ boot: "firmware" }));
    expect(find(paravirt, "soc/clint@2000000")).toBeUndefined();
    expect(find(firmware, "soc/clint@2000000")?.properties["interrupts-extended"]).toEqual([1, 3, 1, 7]);
    const slackOf = (machine: MachineConfig) => {
      const blob = machineDeviceTree(machine);
      const view = new DataView(blob.buffer);
      return blob.length - view.getUint32(12) - view.getUint32(32);
    };
    expect(slackOf(config())).toBe(0);
    expect(slackOf(config({ boot: "firmware" }))).toBe(FIRMWARE_SLACK);
  });

  it("gives each hart an M and an S context at the PLIC", () => {
    const tree = machineTree(config({ harts: 3 }));
    expect(find(tree, "soc/plic@c000000")?.properties["interrupts-extended"]).toEqual([
      1, 11, 1, 9, 2, 11, 2, 9, 3, 11, 3, 9,
    ]);
  });

  it("says of the CPU what --cpu left", () => {
    const cpu = find(
      machineTree(config({ extensions: parseCpu("rv64,sstc=off,zbb=off,sv57=off,zicboz=off") })),
      "cpus/cpu@0",
    )!;
    expect(cpu.properties["riscv,isa"]).toBe(
      "rv64imafdc_zicbom_zicbop_zicntr_zicsr_zifencei_zihintpause_zihpm_zba_zbs_zkr_smaia_ssaia_svadu_svinval_svnapot_svpbmt_svvptc",
    );
    expect(cpu.properties["riscv,isa-extensions"]).not.toContain("sstc");
    expect(cpu.properties["mmu-type"]).toBe("riscv,sv48");
    expect(cpu.properties["riscv,cboz-block-size"]).toBeUndefined();
    expect(cpu.properties["riscv,cbom-block-size"]).toBe(64);
  });

  it("says that cbo.zero clears a page", () => {
    const cpu = find(machineTree(config()), "cpus/cpu@0")!;
    expect(cpu.properties["riscv,cboz-block-size"]).toBe(4096);
  });

  it("puts command line, initrd and seed into /chosen, and the serial port where it is the console", () => {
    const chosen = find(
      machineTree(config({ initrd: { start: 0x8240_0000, end: 0x1_0000_0000 } })),
      "chosen",
    )!.properties;
    expect(chosen["linux,initrd-start"]).toEqual([0, 0x8240_0000]);
    expect(chosen["linux,initrd-end"]).toEqual([1, 0]);
    expect(chosen["stdout-path"]).toBe("/soc/serial@10000000");
    expect(chosen["rng-seed"]).toEqual(new Uint8Array(32).fill(5));
    expect(find(machineTree(config({ console: "virtio" })), "chosen")!.properties["stdout-path"]).toBeUndefined();
  });

  it("refuses machines that cannot be", () => {
    expect(() => machineTree(config({ harts: 9 }))).toThrow("9 harts: the machine has 1 to 8");
    expect(() => machineTree(config({ ramBytes: 4 * 2 ** 30 }))).toThrow("at most 3072M");
    expect(() => machineTree(config({ bootargs: "a\0b" }))).toThrow("NUL");
  });

  it("shows a kernel supervisor level's part of advanced interrupts, and firmware all of it", () => {
    const names = (boot: "paravirt" | "firmware") =>
      find(machineTree(config({ boot, irqchip: "aia", harts: 2 })), "soc")!
        .children.map(({ name }) => name)
        .filter((name) => /plic|imsic/.test(name));
    expect(names("paravirt")).toEqual(["imsics@28000000", "aplic@d000000"]);
    expect(names("firmware").sort()).toEqual(["aplic@c000000", "aplic@d000000", "imsics@24000000", "imsics@28000000"]);
    const tree = machineTree(config({ irqchip: "aia", harts: 2 }));
    const imsics = find(tree, "soc/imsics@28000000")!.properties;
    expect(imsics["interrupts-extended"]).toEqual([1, 9, 2, 9]);
    const aplic = find(tree, "soc/aplic@d000000")!.properties;
    expect([aplic["msi-parent"], find(tree, "soc/pci@30000000")!.properties["msi-parent"]]).toEqual([
      imsics.phandle,
      imsics.phandle,
    ]);
    expect(find(tree, "soc/serial@10000000")!.properties).toMatchObject({
      interrupts: [10, 4],
      "interrupt-parent": aplic.phandle,
    });
  });

  // QEMU's own tree for the same board: what its drivers rely on must be the same here.
  it.for([
    ["plic", "virt", ["/soc/plic@c000000 reg"]],
    ["aia", "virt,aia=aplic-imsic", ["/soc/aplic@c000000 riscv,num-sources", "/soc/imsics@28000000 riscv,num-ids"]],
  ] as const)("agrees with QEMU's tree on every device that both have: %s", ([irqchip, board, own], { skip }) => {
    requireTool(DTC_MISSING, skip);
    const directory = mkdtempSync(join(tmpdir(), "virt-tree-"));
    try {
      const blob = join(directory, "virt.dtb");
      const qemu = spawnSync(
        "qemu-system-riscv64",
        ["-machine", `${board},dumpdtb=${blob}`, "-m", "512M", "-smp", "2", "-nographic"],
        { timeout: 30_000 },
      );
      requireTool(qemu.error ? "qemu-system-riscv64 is not installed (package qemu-system-misc)" : undefined, skip);
      const theirs = properties(decompile(readFileSync(blob)).source);
      const ours = properties(decompile(machineDeviceTree(config({ boot: "firmware", harts: 2, irqchip }))).source);
      const compared: string[] = [];
      for (const [path, values] of ours) {
        const other = theirs.get(path);
        if (other === undefined || path.includes("cpu") || path === "/chosen") continue;
        for (const name of [
          "compatible",
          "reg",
          "interrupts",
          "ranges",
          "interrupt-map-mask",
          "bus-range",
          "value",
          "offset",
          "clock-frequency",
          "device_type",
          "#address-cells",
          "#size-cells",
          "#interrupt-cells",
          "interrupt-controller",
          "msi-controller",
          "riscv,num-ids",
          "riscv,ipi-id",
          "riscv,num-sources",
        ]) {
          // QEMU 7.2 leaves it out here; without it an interrupt map to the node cannot be read.
          if (name === "#address-cells" && /aplic|imsics/.test(path)) continue;
          if (!(name in values) && !(name in other)) continue;
          compared.push(`${path} ${name}`);
          // QEMU's 64-bit window of PCI is not prefetchable, and Linux warns of its size.
          const wanted = name === "ranges" ? other[name]?.replace("0x3000000 0x04", "0x43000000 0x04") : other[name];
          expect(normal(values[name]), `${path} ${name}`).toBe(normal(wanted));
        }
        expect("msi-parent" in values, `${path} msi-parent`).toBe("msi-parent" in other);
        if ("riscv,delegate" in values)
          expect(cells(values["riscv,delegate"]).slice(1)).toEqual(cells(other["riscv,delegate"]).slice(1));
        // Interrupt controllers have other phandles there; lines and pins must agree.
        if ("interrupt-map" in values)
          expect(withoutParent(values["interrupt-map"])).toEqual(withoutParent(other["interrupt-map"]));
      }
      expect(compared).toEqual(
        expect.arrayContaining([
          ...own,
          "/soc/pci@30000000 ranges",
          "/soc/virtio_mmio@10008000 interrupts",
          "/soc/clint@2000000 reg",
          "/soc/test@100000 compatible",
          "/memory@80000000 reg",
        ]),
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

/** Properties of each node path in dts source. */
function properties(source: string): Map<string, Record<string, string>> {
  const found = new Map<string, Record<string, string>>();
  const path: string[] = [];
  for (const line of source.split("\n").map((text) => text.trim())) {
    if (line.endsWith("{")) {
      path.push(line === "/ {" ? "" : line.slice(0, -2));
      found.set(path.join("/") || "/", {});
    } else if (line === "};") path.pop();
    else if (line.includes(";") && path.length > 0) {
      const [name, value] = line.slice(0, -1).split(/ = (.*)/s);
      found.get(path.join("/") || "/")![name] = value ?? "";
    }
  }
  return found;
}

/** dtc prints some numbers as strings ("\08@"); QEMU's model name is its own. */
function normal(value: string | undefined): string | undefined {
  return value === '"\\08@"' ? "<0x384000>" : value;
}

const cells = (value: string) => value.slice(1, -1).split(" ").map(Number);

/** Rows of an interrupt map for 16 pins: address, pin and line, without the controller's phandle. */
function withoutParent(map: string): number[][] {
  const all = cells(map);
  const length = all.length / 16;
  return Array.from({ length: 16 }, (_, i) =>
    all.slice(i * length, (i + 1) * length).filter((_, column) => column !== 4),
  );
}
