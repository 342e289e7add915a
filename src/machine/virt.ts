// The device tree of one machine: QEMU's `virt` board as far as our devices go. Bindings are
// those of the Linux kernel's Documentation/devicetree/bindings. Against QEMU's own tree:
// no flash, no fw_cfg, no platform bus and no PMU node (the SBI serves counters); the CLINT
// only where firmware drives it; riscv,isa-base and riscv,isa-extensions beside riscv,isa; PCI's
// 64-bit window is prefetchable, without which Linux finds it too large.
import { CacheBlock, Ext } from "../../assembly/abi/ext.ts";
import { Irq, Map as PhysicalMap, Timebase } from "../../assembly/abi/memory-map.ts";
import { OptionError } from "../errors.ts";
import { aiaNodes, aiaWires, imsic } from "./aia.ts";
import { type CatalogueId, catalogueRow } from "./catalogue.ts";
import { hasExtension, type IrqchipKind, isaExtensions, isaString, mmuType } from "./cpu.ts";
import type { AnyDefinition, DeviceDefinition } from "./define-device.ts";
import { cells64, type DeviceTreeNode, encodeDeviceTree, node, type PropertyValue } from "./device-tree.ts";
import { checkMemory } from "./memory-size.ts";

export type BootForm = "paravirt" | "firmware";
export type ConsoleDevice = "ns16550a" | "virtio" | "sbi";

export interface MachineConfig {
  ramBytes: number;
  /** 1 to 8. */
  harts: number;
  /** Bits of Ext: parseCpu. */
  extensions: bigint;
  boot: BootForm;
  /** The kernel's command line. */
  bootargs: string;
  console: ConsoleDevice;
  /** There is a second UART. */
  serial?: boolean;
  /** Default: "plic". */
  irqchip?: IrqchipKind;
  /** 32 bytes that seed the kernel's random numbers. */
  rngSeed: Uint8Array;
  /** Devices that the caller defined. */
  devices?: readonly AnyDefinition[];
  /** Where the initrd lies, in guest physical addresses; end is the first byte after it. */
  initrd?: { start: number; end: number };
}

export const MAX_HARTS = 8;

/** The UART's input clock; its baud rate has no effect. */
const UART_CLOCK = 3_686_400;

// Interrupts into a hart, as in mip.
const M_SOFTWARE = 3;
const M_TIMER = 7;
const S_EXTERNAL = 9;
const M_EXTERNAL = 11;

// phandles: the harts' interrupt controllers first, then the harts, then what there is one of.
const interruptController = (hart: number) => 1 + hart;
const cpu = (hart: number) => 1 + MAX_HARTS + hart;
const PLIC = 1 + 2 * MAX_HARTS;
const FINISHER = PLIC + 1;
const AIA = FINISHER + 1;

/** How a device's node says where its wire goes: the controller, and how it names a source. */
export interface Wires {
  parent: number;
  source(irq: number): number[];
}

const plicWires: Wires = { parent: PLIC, source: (irq) => [irq] };

function wiresOf({ irqchip }: MachineConfig): Wires {
  return irqchip === "aia" ? aiaWires(AIA) : plicWires;
}

// PCI address cells (PCI bus binding, phys.hi): space code in bits 25:24, device in 15:11.
const SPACE_IO = 0x0100_0000;
const SPACE_MMIO32 = 0x0200_0000;
/** Prefetchable (bit 30): of memory that is not, bridges decode 32 bits alone (PCI-to-PCI Bridge 1.2, 3.2.5.8). */
const SPACE_MMIO64 = 0x4300_0000;
const DEVICE_SHIFT = 11;
const INTX_PINS = 4;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A node under /soc from its catalogue row: unit address, compatible, reg, interrupts. */
function device(
  name: string,
  id: CatalogueId,
  properties: Record<string, PropertyValue> = {},
  wires = plicWires,
): DeviceTreeNode {
  const row = catalogueRow(id);
  const interrupts: Record<string, PropertyValue> =
    row.irq === undefined ? {} : { interrupts: wires.source(row.irq), "interrupt-parent": wires.parent };
  return node(`${name}@${row.base!.toString(16)}`, {
    compatible: [...row.compatible],
    reg: [...cells64(row.base!), ...cells64(row.size!)],
    ...interrupts,
    ...properties,
  });
}

function cpus(config: MachineConfig): DeviceTreeNode {
  const { extensions } = config;
  const blocks: Record<string, number> = {};
  if (hasExtension(extensions, Ext.ZICBOM)) blocks["riscv,cbom-block-size"] = CacheBlock.MANAGED;
  if (hasExtension(extensions, Ext.ZICBOP)) blocks["riscv,cbop-block-size"] = CacheBlock.MANAGED;
  if (hasExtension(extensions, Ext.ZICBOZ)) blocks["riscv,cboz-block-size"] = CacheBlock.ZERO;
  const harts = range(config.harts);
  return node("cpus", { "#address-cells": 1, "#size-cells": 0, "timebase-frequency": Timebase.HZ }, [
    ...harts.map((hart) =>
      node(
        `cpu@${hart}`,
        {
          device_type: "cpu",
          reg: hart,
          status: "okay",
          compatible: "riscv",
          "riscv,isa": isaString(extensions),
          "riscv,isa-base": "rv64i",
          "riscv,isa-extensions": isaExtensions(extensions),
          "mmu-type": mmuType(extensions),
          ...blocks,
          phandle: cpu(hart),
        },
        [
          node("interrupt-controller", {
            compatible: "riscv,cpu-intc",
            "#address-cells": 0,
            "#interrupt-cells": 1,
            "interrupt-controller": true,
            phandle: interruptController(hart),
          }),
        ],
      ),
    ),
    node("cpu-map", {}, [
      node(
        "cluster0",
        {},
        harts.map((hart) => node(`core${hart}`, { cpu: cpu(hart) })),
      ),
    ]),
  ]);
}

function plic(harts: number): DeviceTreeNode {
  return device("plic", "plic", {
    "interrupt-controller": true,
    "#address-cells": 0,
    "#interrupt-cells": 1,
    "interrupts-extended": range(harts).flatMap((hart) => [
      interruptController(hart),
      M_EXTERNAL,
      interruptController(hart),
      S_EXTERNAL,
    ]),
    "riscv,ndev": Irq.COUNT - 1,
    phandle: PLIC,
  });
}

function clint(harts: number): DeviceTreeNode {
  return device("clint", "clint-timer", {
    "interrupts-extended": range(harts).flatMap((hart) => [
      interruptController(hart),
      M_SOFTWARE,
      interruptController(hart),
      M_TIMER,
    ]),
  });
}

function virtioSlot(slot: number, wires: Wires): DeviceTreeNode {
  const base = PhysicalMap.VIRTIO + slot * PhysicalMap.VIRTIO_SLOT_SIZE;
  return node(`virtio_mmio@${base.toString(16)}`, {
    compatible: "virtio,mmio",
    reg: [...cells64(base), ...cells64(PhysicalMap.VIRTIO_SLOT_SIZE)],
    interrupts: wires.source(Irq.VIRTIO + slot),
    "interrupt-parent": wires.parent,
    "dma-coherent": true,
  });
}

function customDevice(
  { name, compatible, size, interrupt, properties }: DeviceDefinition<unknown>,
  index: number,
  wires: Wires,
): DeviceTreeNode {
  const base = PhysicalMap.CUSTOM + index * PhysicalMap.CUSTOM_STRIDE;
  const interrupts: Record<string, PropertyValue> = interrupt
    ? { interrupts: wires.source(Irq.CUSTOM + index), "interrupt-parent": wires.parent }
    : {};
  return node(`${name}@${base.toString(16)}`, {
    compatible,
    reg: [...cells64(base), ...cells64(size)],
    ...interrupts,
    ...properties,
  });
}

/** Pin p of device d is wired to INTx line (p + d) mod 4: four devices' worth, for the mask leaves two bits. */
function interruptMap(wires: Wires): number[] {
  const pins = range(INTX_PINS);
  return pins.flatMap((slot) =>
    pins.flatMap((pin) => {
      const source = wires.source(Irq.PCIE + ((slot + pin) % INTX_PINS));
      return [slot << DEVICE_SHIFT, 0, 0, pin + 1, wires.parent, ...source];
    }),
  );
}

function pcie(wires: Wires, messages: Record<string, PropertyValue>): DeviceTreeNode {
  const row = catalogueRow("pcie");
  const mmio64 = PhysicalMap.PCIE_MMIO64_PAGE * 4096;
  return node(`pci@${row.base!.toString(16)}`, {
    compatible: [...row.compatible],
    device_type: "pci",
    "#address-cells": 3,
    "#size-cells": 2,
    "#interrupt-cells": 1,
    reg: [...cells64(row.base!), ...cells64(row.size!)],
    "bus-range": [0, 0xff],
    "linux,pci-domain": 0,
    "dma-coherent": true,
    // Each: PCI address (3 cells), CPU address (2), size (2).
    ranges: [
      [SPACE_IO, ...cells64(0), ...cells64(PhysicalMap.PCIE_PIO), ...cells64(PhysicalMap.PCIE_PIO_SIZE)],
      [
        SPACE_MMIO32,
        ...cells64(PhysicalMap.PCIE_MMIO),
        ...cells64(PhysicalMap.PCIE_MMIO),
        ...cells64(PhysicalMap.PCIE_MMIO_SIZE),
      ],
      [SPACE_MMIO64, ...cells64(mmio64), ...cells64(mmio64), ...cells64(PhysicalMap.PCIE_MMIO64_PAGES * 4096)],
    ].flat(),
    "interrupt-map-mask": [(INTX_PINS - 1) << DEVICE_SHIFT, 0, 0, 7],
    "interrupt-map": interruptMap(wires),
    ...messages,
  });
}

function chosen(config: MachineConfig): DeviceTreeNode {
  const properties: Record<string, PropertyValue> = { bootargs: config.bootargs };
  if (config.console === "ns16550a") properties["stdout-path"] = `/soc/serial@${PhysicalMap.UART.toString(16)}`;
  if (config.initrd !== undefined) {
    properties["linux,initrd-start"] = cells64(config.initrd.start);
    properties["linux,initrd-end"] = cells64(config.initrd.end);
  }
  properties["rng-seed"] = config.rngSeed;
  return node("chosen", properties);
}

function checkConfig(config: MachineConfig): void {
  checkMemory(config.ramBytes);
  if (!Number.isInteger(config.harts) || config.harts < 1 || config.harts > MAX_HARTS) {
    throw new OptionError(`${config.harts} harts: the machine has 1 to ${MAX_HARTS}`);
  }
  if (config.bootargs.includes("\0")) throw new OptionError("the kernel's command line contains a NUL byte: remove it");
}

/** The tree itself. @throws OptionError if no such machine can be. */
export function machineTree(config: MachineConfig): DeviceTreeNode {
  checkConfig(config);
  const ram = PhysicalMap.RAM;
  const wires = wiresOf(config);
  const aia = config.irqchip === "aia";
  return node(
    "",
    { "#address-cells": 2, "#size-cells": 2, compatible: "riscv-virtio", model: "riscv-virtio,paravane" },
    [
      chosen(config),
      node(`memory@${ram.toString(16)}`, {
        device_type: "memory",
        reg: [...cells64(ram), ...cells64(config.ramBytes)],
      }),
      cpus(config),
      node("poweroff", { compatible: "syscon-poweroff", regmap: FINISHER, offset: 0, value: 0x5555 }),
      node("reboot", { compatible: "syscon-reboot", regmap: FINISHER, offset: 0, value: 0x7777 }),
      node("soc", { "#address-cells": 2, "#size-cells": 2, compatible: "simple-bus", ranges: true }, [
        device("test", "finisher", { phandle: FINISHER }),
        device("rtc", "goldfish-rtc", {}, wires),
        ...(config.boot === "firmware" ? [clint(config.harts)] : []),
        ...(aia ? aiaNodes(config, AIA, interruptController) : [plic(config.harts)]),
        device("serial", "ns16550a", { "clock-frequency": UART_CLOCK }, wires),
        ...(config.serial ? [device("serial", "ns16550a-serial", { "clock-frequency": UART_CLOCK }, wires)] : []),
        ...range(PhysicalMap.VIRTIO_SLOTS).map((slot) => virtioSlot(slot, wires)),
        ...(config.devices ?? []).flatMap((it, index) =>
          it.form === "emulated" ? [customDevice(it, index, wires)] : [],
        ),
        pcie(wires, aia ? { "msi-parent": imsic(AIA) } : {}),
      ]),
    ],
  );
}

/** Free bytes after the tree that firmware may grow it into. */
export const FIRMWARE_SLACK = 64 * 1024;

/** The tree as a blob, with slack at its end in the firmware boot. @throws OptionError as machineTree. */
export function machineDeviceTree(config: MachineConfig): Uint8Array {
  return encodeDeviceTree(machineTree(config), { slack: config.boot === "firmware" ? FIRMWARE_SLACK : 0 });
}
