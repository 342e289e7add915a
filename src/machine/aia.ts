// The Advanced Interrupt Architecture in the device tree: bindings riscv,imsics and riscv,aplic. A
// kernel in S-mode is shown what is for supervisor level; firmware also what is for machine level.
import { Aia, Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";
import { catalogueRow } from "./catalogue.ts";
import { cells64, type DeviceTreeNode, node } from "./device-tree.ts";
import type { MachineConfig, Wires } from "./virt.ts";

const [IMSICS, APLIC] = catalogueRow("aia").compatible;

const S_EXTERNAL = 9;
const M_EXTERNAL = 11;
/** Flag of an interrupt specifier: level-sensitive, active high. */
const LEVEL_HIGH = 4;

// phandles, from the first that is the architecture's.
export const imsic = (first: number): number => first;
const aplic = (first: number) => first + 1;
const machineImsic = (first: number) => first + 2;
const machineAplic = (first: number) => first + 3;

export function aiaWires(first: number): Wires {
  return { parent: aplic(first), source: (irq) => [irq, LEVEL_HIGH] };
}

function imsics(base: number, phandle: number, lines: number[][]): DeviceTreeNode {
  return node(`imsics@${base.toString(16)}`, {
    compatible: IMSICS,
    reg: [...cells64(base), ...cells64(lines.length * PhysicalMap.IMSIC_PAGE)],
    "interrupt-controller": true,
    "#address-cells": 0,
    "#interrupt-cells": 0,
    "msi-controller": true,
    "#msi-cells": 0,
    "interrupts-extended": lines.flat(),
    "riscv,num-ids": Aia.IDENTITIES,
    "riscv,ipi-id": Aia.IPI,
    phandle,
  });
}

function domain(base: number, phandle: number, msiParent: number, children: DeviceTreeNode["properties"] = {}) {
  return node(`aplic@${base.toString(16)}`, {
    compatible: APLIC,
    reg: [...cells64(base), ...cells64(PhysicalMap.APLIC_SIZE)],
    "interrupt-controller": true,
    "#address-cells": 0,
    "#interrupt-cells": 2,
    "msi-parent": msiParent,
    "riscv,num-sources": Aia.SOURCES,
    ...children,
    phandle,
  });
}

/** Nodes of the interrupt controllers. `first` is a phandle of four, `interruptController` each hart's own. */
export function aiaNodes(
  { boot, harts }: MachineConfig,
  first: number,
  interruptController: (hart: number) => number,
): DeviceTreeNode[] {
  const lines = (line: number) => Array.from({ length: harts }, (_, hart) => [interruptController(hart), line]);
  const supervisor = [
    imsics(PhysicalMap.IMSIC_S, imsic(first), lines(S_EXTERNAL)),
    domain(PhysicalMap.APLIC_S, aplic(first), imsic(first)),
  ];
  if (boot === "paravirt") return supervisor;
  // All sources go to the child. Firmware before OpenSBI 1.3 knows the second property by its older name.
  const delegation = [aplic(first), 1, Aia.SOURCES];
  return [
    ...supervisor,
    imsics(PhysicalMap.IMSIC_M, machineImsic(first), lines(M_EXTERNAL)),
    domain(PhysicalMap.APLIC_M, machineAplic(first), machineImsic(first), {
      "riscv,children": aplic(first),
      "riscv,delegation": delegation,
      "riscv,delegate": delegation,
    }),
  ];
}
