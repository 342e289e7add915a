// What a guest can drive, read from the guest itself: a kernel and its modules, or programs that
// are no Linux. The kernel's own word for it goes first (its configuration, the aliases of its modules), then
// what its code cannot do without (tables of ids, numbers of SBI extensions).

import { ImageError } from "../image/file-tree.ts";
import { readDeviceTree } from "../image/read-device-tree.ts";
import { findText, hasString, stringAt } from "./bytes.ts";
import { constantsInCode, csrsInCode } from "./code-constants.ts";
import { type ProgramNeeds, programNeeds } from "./elf-isa.ts";
import type { FileSource } from "./file-source.ts";
import type { HardwareId } from "./hardware-id.ts";
import { idsInTables } from "./id-tables.ts";
import type { Unpack } from "./initramfs.ts";
import { builtinNames, kernelSymbols } from "./kallsyms.ts";
import { embeddedConfig, type KernelConfig, parseConfig } from "./kernel-config.ts";
import { type KernelModules, readModules } from "./kernel-modules.ts";
import { driversInTree } from "./tree-drivers.ts";

/** A program of the guest's, and what it was built for. */
export interface UserProgram extends ProgramNeeds {
  path: string;
}

export interface DriverSet {
  kind: "linux" | "program";
  /** Of Linux, as `uname -r` says it. */
  release?: string;
  config?: KernelConfig;
  /** Names of all that is built in, if the kernel has symbols of it. */
  builtin?: ReadonlySet<string>;
  /** Of each place where modules are: the initramfs, then the root file system. */
  modules: readonly KernelModules[];
  /** There are modules of this kernel alone, which is not the one that is to boot. */
  otherRelease?: string;
  /** Ids that the code itself matches (tables, strings, constants), and those of a device tree that the program goes by. */
  inCode: ReadonlySet<string>;
  /** Such a tree is all that there is of the program. */
  isTreeAlone?: boolean;
  /** What the first programs of the userland, or the program itself, were built for. */
  programs: readonly UserProgram[];
  /** Extensions that the kernel's own code needs. */
  kernelNeeds: readonly string[];
}

/** What a guest consists of. */
export interface GuestImages {
  /** Unpacked: an Image, or an ELF file. */
  kernel?: Uint8Array;
  /** Firmware stages. */
  firmware?: readonly Uint8Array[];
  /** A flattened device tree from which a program that is no Linux takes its devices. */
  dtb?: Uint8Array;
  initramfs?: FileSource;
  root?: FileSource;
}

/** What drivers are looked for: ids as the catalogue writes them, and read; and modules by name that match no hardware. */
export interface Wanted {
  ids: ReadonlyMap<string, HardwareId>;
  modules: readonly string[];
}

const BANNER = "Linux version ";
const MOST_RELEASE = 128;
/** Programs that run first, one of which is in every userland. */
const FIRST_PROGRAMS = ["init", "sbin/init", "bin/sh", "bin/busybox", "usr/lib/systemd/systemd"];
/** CSR numbers by the extension that brings them (Privileged and Unprivileged ISA, CSR listings). */
const CSRS: Record<string, number> = { sstc: 0x14d, zkr: 0x015, zicntr: 0xc01 };
const VIRTIO_PCI_VENDOR = 0x1af4;

/** The release in a Linux kernel's banner (init/version.c). */
export function kernelRelease(image: Uint8Array): string | undefined {
  const at = findText(image, BANNER);
  if (at < 0) return undefined;
  const [release] = stringAt(image, at + BANNER.length, MOST_RELEASE).split(" ");
  return /^\d+\.\d+[\w.+~-]*$/.test(release) ? release : undefined;
}

/** What Linux's code matches, by its tables, its calls and the names of extensions that it looks for. */
function linuxCode(image: Uint8Array, wanted: Wanted["ids"]): Set<string> {
  const inTables = idsInTables(image, [...wanted.values()]);
  const calls = constantsInCode(
    image,
    [...wanted.values()].flatMap((id) => (id.bus === "sbi" ? [id.eid] : [])),
  );
  const found = new Set<string>();
  for (const [text, id] of wanted) {
    if (inTables.has(id)) found.add(text);
    if (id.bus === "sbi" && calls.has(id.eid)) found.add(text);
    // riscv_isa_ext, by which it reads the device tree; what it does not look for, programs use all the same.
    if (id.bus === "isa" && (id.extension !== "sstc" || hasString(image, id.extension))) found.add(text);
  }
  return found;
}

/** How a program writes an id of PCI or SBI that it looks for: registers of configuration space are read as words (PCI 3.0, 6.1). */
function constantsOf(id: HardwareId): number[] {
  switch (id.bus) {
    case "sbi":
      return [id.eid];
    case "pci":
      // Virtio's device numbers follow from the number of the kind, so it may be the vendor alone.
      return [((id.device << 16) | id.vendor) >>> 0, ...(id.vendor === VIRTIO_PCI_VENDOR ? [VIRTIO_PCI_VENDOR] : [])];
    case "pci-class":
      return [id.class, (id.class << 8) >>> 0];
    default:
      return [];
  }
}

/**
 * What any other program matches: strings for the device tree, ids of PCI that it compares with, CSRs. Numbers of virtio
 * devices are too small to be seen: who knows the bus is taken to know its devices.
 */
function programCode(images: readonly Uint8Array[], wanted: Wanted["ids"]): Set<string> {
  const found = new Set<string>();
  for (const code of images) {
    const tables = idsInTables(code, [...wanted.values()]);
    const constants = constantsInCode(code, [...wanted.values()].flatMap(constantsOf));
    const csrs = csrsInCode(code, Object.values(CSRS));
    const knowsVirtio = hasString(code, "virtio,mmio");
    const knowsVirtioPci = constantsInCode(code, [VIRTIO_PCI_VENDOR]).size > 0;
    for (const [text, id] of wanted) {
      const isThere =
        tables.has(id) ||
        constantsOf(id).some((it) => constants.has(it)) ||
        (id.bus === "of" && hasString(code, id.compatible)) ||
        (id.bus === "virtio" && (knowsVirtio || knowsVirtioPci)) ||
        (id.bus === "isa" && csrs.has(CSRS[id.extension]));
      if (isThere) found.add(text);
    }
  }
  return found;
}

async function firstPrograms(sources: readonly FileSource[]): Promise<UserProgram[]> {
  const programs: UserProgram[] = [];
  for (const source of sources) {
    for (const path of FIRST_PROGRAMS) {
      const bytes = await source.read(path);
      const needs = bytes && programNeeds(bytes);
      if (needs) programs.push({ path: `/${path}`, ...needs });
    }
  }
  return programs;
}

/** Reads what a guest can drive of `wanted`. Whatever the images hold, it ends, in time that grows as they do. */
export async function readDriverSet(images: GuestImages, wanted: Wanted, unpack: Unpack): Promise<DriverSet> {
  const { kernel, firmware = [], dtb, initramfs, root } = images;
  const release = kernel && kernelRelease(kernel);
  const inTree = dtb === undefined ? [] : driversInTree(readDeviceTree(dtb), wanted.ids);
  if (kernel === undefined || release === undefined) {
    const all = kernel === undefined ? firmware : [...firmware, kernel];
    const needs = kernel && programNeeds(kernel);
    return {
      kind: "program",
      modules: [],
      inCode: new Set([...programCode(all, wanted.ids), ...inTree]),
      ...(all.length === 0 && { isTreeAlone: true }),
      programs: needs ? [{ path: "the program", ...needs, align: 0 }] : [],
      kernelNeeds: [],
    };
  }

  if (dtb !== undefined) {
    throw new ImageError(
      "a device tree says what a program drives that is no Linux, and the kernel is Linux: leave one out",
    );
  }
  const sources = [initramfs, root].filter((it) => it !== undefined);
  const interest = { ids: [...wanted.ids.values()], names: wanted.modules };
  const modules: KernelModules[] = [];
  let otherRelease: string | undefined;
  let config = await embeddedConfig(kernel);
  for (const source of sources) {
    const found = await readModules(source, release, unpack, interest);
    if (found.modules) modules.push(found.modules);
    otherRelease ??= found.otherRelease;
    for (const place of [`boot/config-${release}`, `usr/lib/modules/${release}/config`]) {
      const text = config === undefined ? await source.read(place) : undefined;
      if (text !== undefined) config = parseConfig(new TextDecoder().decode(text));
    }
  }
  const names = builtinNames(kernelSymbols(kernel));
  const compressed = config?.get("RISCV_ISA_C") === "y" || (kernel[0] === 0x4d && kernel[1] === 0x5a);
  return {
    kind: "linux",
    release,
    config,
    builtin: names.size > 0 ? names : undefined,
    modules,
    otherRelease: modules.length === 0 ? otherRelease : undefined,
    inCode: linuxCode(kernel, wanted.ids),
    programs: await firstPrograms(sources),
    kernelNeeds: ["i", "m", "a", ...(compressed ? ["c"] : [])],
  };
}
