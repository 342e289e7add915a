// A device tree as a driver set: a program without an operating system, or firmware, that takes its devices from a tree drives
// what the tree names, by the strings of `compatible`. Functions of PCI have strings of their own there (IEEE 1275, PCI
// Bus Binding: "pci8086,100e", "pciclass,010802"); what an enumerated bus holds beyond that, no tree says.
import { isAvailable, type TreeNode, treeStrings } from "../image/read-device-tree.ts";
import { parseIsa } from "./elf-isa.ts";
import type { HardwareId } from "./hardware-id.ts";

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** How a tree writes an id, or undefined where it does not. */
function compatibleOf(id: HardwareId): string | undefined {
  switch (id.bus) {
    case "of":
      return id.compatible;
    case "pci":
      return `pci${hex(id.vendor, 4)},${hex(id.device, 4)}`;
    case "pci-class":
      return `pciclass,${hex(id.class, 6)}`;
    // Numbers of virtio devices stand in their registers: who has the transport is taken to know its devices.
    case "virtio":
      return "virtio,mmio";
    default:
      return undefined;
  }
}

/** The binding writes numbers without leading zeros, many trees with them: four digits each; other strings as they are. */
function fullPciName(text: string): string {
  const match = /^pci([0-9a-f]{1,4}),([0-9a-f]{1,4})$/i.exec(text);
  return match === null ? text : `pci${match[1].padStart(4, "0")},${match[2].padStart(4, "0")}`.toLowerCase();
}

/** Extensions of the harts that a tree describes, by either of the bindings (riscv,isa-extensions, riscv,isa). */
function treeIsa(nodes: readonly TreeNode[]): Set<string> {
  const found = new Set<string>();
  for (const { properties } of nodes) {
    for (const name of treeStrings(properties.get("riscv,isa-extensions"))) found.add(name);
    const [isa] = treeStrings(properties.get("riscv,isa"));
    if (isa !== undefined && /^rv(32|64)/.test(isa)) for (const name of parseIsa(isa)) found.add(name);
  }
  return found;
}

/** Those of `wanted` that the devices of a tree match. */
export function driversInTree(nodes: readonly TreeNode[], wanted: ReadonlyMap<string, HardwareId>): Set<string> {
  const available = nodes.filter(isAvailable);
  const compatible = new Set(
    available.flatMap(({ properties }) => treeStrings(properties.get("compatible"))).map(fullPciName),
  );
  const isa = treeIsa(available);
  const found = new Set<string>();
  for (const [text, id] of wanted) {
    const name = compatibleOf(id);
    if (name !== undefined && compatible.has(name)) found.add(text);
    if (id.bus === "isa" && isa.has(id.extension)) found.add(text);
  }
  return found;
}
