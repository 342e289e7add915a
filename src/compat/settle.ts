// Gives each function of a guest a form: what `prefer`, `require` and `hardware` of its options mean,
// turned into the options that they leave open (boot, console, interface of a disk, model of a network
// device). Nothing runs yet: what cannot be is an error here, with its reason.
import { CompatibilityError, OptionError } from "../errors.ts";
import type { DiskOptions, GuestOptions, NetOptions } from "../guest/options.ts";
import type { Platform } from "../guest/platform.ts";
import { CATALOGUE, type CatalogueId } from "../machine/catalogue.ts";
import type { Form } from "../machine/catalogue-row.ts";
import { limitCpu } from "../machine/cpu.ts";
import { SBI_BOOT } from "./calls-verdict.ts";
import { readGuestDrivers } from "./check-guest.ts";
import type { DriverSet } from "./driver-set.ts";
import { closure, parseIsa } from "./elf-isa.ts";
import { checkHardwareModel, commonHardware, type HardwareModel, offeredDevice } from "./hardware-model.ts";
import { probeHardware } from "./probe-hardware.ts";
import { FALLBACKS, judge, type Verdict } from "./verdict.ts";

/** Devices that every machine of ours has, unless the hardware model leaves them out. */
export interface StandardDevices {
  /** The virtio console, which carries commands and ports too. */
  virtioConsole: boolean;
  /** The virtio entropy source. */
  entropy: boolean;
}

export const ALL_STANDARD: StandardDevices = { virtioConsole: true, entropy: true };

const FORMS: readonly Form[] = ["emulated", "paravirt", "direct"];
/** What firmware drives to serve the same. */
const FIRMWARE_BOOT: readonly CatalogueId[] = ["clint-timer", "clint-ipi"];
/** As many of each as the machine takes (guest/machine.ts). */
const MOST = { virtio: Number.POSITIVE_INFINITY, nvme: 4, ahci: 6 } as const;

/** What an SBI extension's name stands behind in the catalogue's `compatible`. */
const SBI = "sbi:";

/** Interfaces of disks and models of network devices, by the catalogue's rows. */
const DISK_ROWS = { "virtio-blk": "virtio", nvme: "nvme", "nvme-dbbuf": "nvme", ahci: "ahci" } as const;
const NET_ROWS = { "virtio-net": "virtio", e1000: "e1000", e1000e: "e1000e" } as const;

/** Which row each wish of the options stands on, where it has but one. */
const SINGLE_ROWS: { row: CatalogueId; what: string; isWanted(options: GuestOptions): boolean }[] = [
  { row: "virtio-9p", what: "shares", isWanted: ({ shares = [] }) => shares.length > 0 },
  { row: "virtio-vsock", what: "vsock", isWanted: ({ vsock }) => vsock !== undefined },
  { row: "virtio-pmem", what: "pmem", isWanted: ({ pmem = [] }) => pmem.length > 0 },
  { row: "virtio-balloon", what: "balloon", isWanted: ({ balloon = false }) => balloon },
  { row: "virtio-mem", what: "hotplugMemory", isWanted: ({ hotplugMemory }) => hotplugMemory !== undefined },
  { row: "virtio-rtc", what: "rtc", isWanted: ({ rtc = false }) => rtc },
  { row: "aia", what: "irqchip aia", isWanted: ({ irqchip }) => irqchip === "aia" },
];

/** "virtio-net lacks module virtio_net, absent from the initramfs; ..." */
function reasonsOf(verdicts: readonly Verdict[]): string {
  return verdicts.map(({ device, missing }) => `${device} lacks ${missing}`).join("; ");
}

export interface Settled {
  options: GuestOptions;
  standard: StandardDevices;
}

class Settling {
  readonly #verdicts: readonly Verdict[];
  readonly #hardware: HardwareModel;
  readonly #prefer: Form;
  readonly #require: Form | undefined;
  readonly #notice: (line: string) => void;
  readonly #said = new Set<string>();
  readonly isLinux: boolean;

  constructor(verdicts: readonly Verdict[], hardware: HardwareModel, drivers: DriverSet, options: GuestOptions) {
    this.#verdicts = verdicts;
    this.isLinux = drivers.kind === "linux";
    this.#hardware = hardware;
    this.#prefer = options.require ?? options.prefer ?? "paravirt";
    this.#require = options.require;
    this.#notice = options.onNotice ?? (() => {});
  }

  verdict(id: string): Verdict {
    return this.#verdicts.find(({ device }) => device === id) as Verdict;
  }

  works(id: CatalogueId): boolean {
    return this.verdict(id).works;
  }

  offers(id: CatalogueId): boolean {
    return offeredDevice(this.#hardware, id) !== undefined;
  }

  refuse(message: string, ...verdicts: Verdict[]): never {
    const missing = verdicts.map(({ function: name, device, missing: what }) => ({
      ...{ function: name, device },
      missing: what ?? "",
    }));
    throw new CompatibilityError(message, missing);
  }

  say(line: string): void {
    if (this.#said.has(line)) return;
    this.#said.add(line);
    this.#notice(line);
  }

  /** Of `rows`, in the order of forms that is preferred, those that work; says what did not, and refuses where nothing does. */
  rank<T extends CatalogueId>(name: string, rows: readonly T[]): T[] {
    const ordered = FALLBACKS[this.#prefer].flatMap((form) => rows.filter((row) => this.verdict(row).form === form));
    const working = ordered.filter((row) => this.works(row));
    const wanted = ordered.filter((row) => this.verdict(row).form === this.#prefer);
    const failed = wanted.filter((row) => !this.works(row)).map((row) => this.verdict(row));
    const reasons = reasonsOf(failed);
    if (this.#require !== undefined && !working.some((row) => wanted.includes(row))) {
      this.refuse(`${name} cannot be ${this.#require}: ${reasons || "the machine has no such form"}`, ...failed);
    }
    if (working.length === 0) {
      const all = ordered.map((row) => this.verdict(row));
      this.refuse(`${name} cannot work in any form: ${reasonsOf(all)}`, ...all);
    }
    if (wanted.length > 0 && !wanted.includes(working[0])) {
      this.say(`${name} cannot be ${this.#prefer} (${reasons}): takes ${working[0]}, ${this.verdict(working[0]).form}`);
    }
    return this.#require === undefined ? working : working.filter((row) => wanted.includes(row));
  }

  /** Something that the options name: it must be on offer; where the guest cannot drive it, that is said, or refused. */
  named(what: string, id: CatalogueId): void {
    const verdict = this.verdict(id);
    if (!this.offers(id)) this.refuse(`${what} needs ${id}: the hardware model does not offer it`, verdict);
    if (this.#require !== undefined && verdict.form !== this.#require && this.#hasForm(verdict, this.#require)) {
      this.refuse(`${what} takes ${id}, which is ${verdict.form}, and ${this.#require} is required`, verdict);
    }
    if (verdict.works) return;
    if (this.#require !== undefined) this.refuse(`${what}: ${id} lacks ${verdict.missing}`, verdict);
    this.say(`${what}: ${id} lacks ${verdict.missing}, so the guest will not see it work`);
  }

  /** Does its function come in that form? */
  #hasForm({ function: name }: Verdict, form: Form): boolean {
    return this.#verdicts.some((it) => it.function === name && it.form === form);
  }

  /** How a virtio device reaches a driver of Linux's; other programs look where they always do. */
  transport(id: CatalogueId): { transport?: "pci" | "mmio" } {
    const { transport } = this.verdict(id);
    return transport === undefined || !this.isLinux ? {} : { transport };
  }

  get prefersFirmware(): boolean {
    return this.#prefer === "emulated";
  }

  get prefersDirect(): boolean {
    return this.#prefer === "direct";
  }
}

/** Firmware, if the guest has to be, or is to be, fully virtualized. */
async function settleBoot(
  settling: Settling,
  options: GuestOptions,
  platform: Platform,
): Promise<Partial<GuestOptions>> {
  const wantsFirmware = options.firmware !== undefined || options.boot === "firmware";
  const lackingDevices = FIRMWARE_BOOT.filter((id) => !settling.offers(id)).map((id) => settling.verdict(id));
  if (wantsFirmware && lackingDevices.length > 0) {
    const names = lackingDevices.map(({ device }) => device).join(" and ");
    settling.refuse(
      `a boot through firmware needs ${names}: the hardware model does not offer that`,
      ...lackingDevices,
    );
  }
  if (options.firmware !== undefined) return {};
  // A program may well do without some of them.
  const isLacking = (id: CatalogueId) => (settling.isLinux ? !settling.works(id) : !settling.offers(id));
  const lackingCalls = SBI_BOOT.filter(isLacking).map((id) => settling.verdict(id));
  const isPossible = SBI_BOOT.every((id) => settling.offers(id));
  if (isPossible && !settling.prefersFirmware && !wantsFirmware) {
    if (lackingCalls.length > 0 && options.require === "paravirt") {
      settling.refuse(`boot cannot be paravirt: ${reasonsOf(lackingCalls)}`, ...lackingCalls);
    }
    return {};
  }
  const reasons = reasonsOf(lackingCalls);
  if (options.boot === "paravirt" || options.require === "paravirt") {
    settling.refuse(`boot cannot be paravirt: ${reasons || "firmware is asked for"}`, ...lackingCalls);
  }
  if (lackingDevices.length > 0) {
    const all = [...lackingCalls, ...lackingDevices];
    settling.refuse(`boot cannot work in any form: ${reasonsOf(all)}`, ...all);
  }
  if (platform.loadFirmware === undefined) {
    throw new OptionError(
      "a fully virtualized boot needs firmware, and this host has none: give OpenSBI's fw_dynamic.bin as firmware",
    );
  }
  if (!isPossible) settling.say(`boot cannot be paravirt (${reasons}): goes through firmware, emulated`);
  return { boot: "firmware", firmware: await platform.loadFirmware((line) => settling.say(line)) };
}

function settleConsole(settling: Settling, options: GuestOptions): Partial<GuestOptions> {
  const rows = { virtio: "virtio-console", ns16550a: "ns16550a", sbi: "sbi-console" } as const;
  const usesPorts = options.exec || options.agent || (options.ports ?? []).length > 0;
  if (usesPorts) settling.named(options.exec ? "exec" : "ports", "virtio-agent-port");
  if (options.console !== undefined) {
    settling.named(`console ${options.console}`, rows[options.console]);
    return {};
  }
  // Boot loaders drive the UART: see createGuest().
  if (Array.isArray(options.firmware) && options.firmware.length > 1) return {};
  const devices = ["virtio-console", "ns16550a"] as const;
  // A program may speak by SBI alone, or not at all.
  if (!settling.isLinux && !devices.some((id) => settling.works(id))) return {};
  const [row] = settling.rank("console", devices);
  return { console: row === "ns16550a" ? "ns16550a" : "virtio" };
}

const VIRTIO_DISK_SETTINGS = ["transport", "queues", "ring", "indirect", "notificationData"] as const;

function settleDisks(settling: Settling, disks: readonly DiskOptions[]): DiskOptions[] {
  const used = { virtio: 0, nvme: 0, ahci: 0 };
  for (const { if: device } of disks) if (device !== undefined) used[device]++;
  return disks.map((disk, number) => {
    const what = `disk ${disk.backend?.name ?? number}`;
    // Settings of one kind of disk name the kind.
    const named =
      disk.if ??
      (disk.doorbellBuffer
        ? "nvme"
        : VIRTIO_DISK_SETTINGS.some((key) => disk[key] !== undefined)
          ? "virtio"
          : undefined);
    if (named !== undefined) {
      const row = named === "virtio" ? "virtio-blk" : named === "nvme" && disk.doorbellBuffer ? "nvme-dbbuf" : named;
      settling.named(what, row);
      return disk;
    }
    const rows = settling.rank("block", ["virtio-blk", "nvme-dbbuf", "nvme", "ahci"]);
    const row = rows.find((it) => used[DISK_ROWS[it]] < MOST[DISK_ROWS[it]]);
    if (row === undefined)
      settling.refuse(`${what}: every place for ${rows.join(" and ")} is taken: leave some disks out`);
    const device = DISK_ROWS[row];
    used[device]++;
    if (row === "nvme-dbbuf") return { ...disk, if: device, doorbellBuffer: true };
    return { ...disk, if: device, ...settling.transport(row) };
  });
}

function settleNets(settling: Settling, nets: readonly NetOptions[]): NetOptions[] {
  return nets.map((net, number) => {
    const isVirtio = net.transport !== undefined || net.queues !== undefined;
    const named = net.model ?? (isVirtio ? "virtio" : undefined);
    if (named !== undefined) {
      settling.named(`network device ${number}`, named === "virtio" ? "virtio-net" : named);
      return net;
    }
    const [row] = settling.rank("network", ["virtio-net", "e1000", "e1000e"]);
    return { ...net, model: NET_ROWS[row], ...settling.transport(row) };
  });
}

/** Calls of SBI extensions that the machine serves and the model does not offer are not granted. */
function settleCalls(settling: Settling, policy: GuestOptions["policy"]): Partial<GuestOptions> {
  const missing = CATALOGUE.filter(({ id, transport }) => transport === "sbi" && !settling.offers(id)).flatMap(
    ({ compatible }) =>
      compatible.flatMap((text) => (text.startsWith(SBI) ? [text.slice(SBI.length).toLowerCase()] : [])),
  );
  if (missing.length === 0) return {};
  return { policy: { ...policy, calls: { ...policy?.calls, deny: [...(policy?.calls?.deny ?? []), ...missing] } } };
}

function checkForms({ prefer, require }: GuestOptions): void {
  if (prefer !== undefined && !FORMS.includes(prefer)) {
    throw new OptionError(`prefer "${prefer}" is no form: write ${FORMS.join(", ")}`);
  }
  if (require !== undefined && require !== "paravirt" && require !== "emulated") {
    throw new OptionError(`require "${require}" cannot be: write paravirt or emulated`);
  }
  if (prefer !== undefined && require !== undefined && prefer !== require) {
    throw new OptionError(`prefer ${prefer} and require ${require} contradict each other: give one of them`);
  }
}

/**
 * The options of a guest with a form for everything that they leave open, if they ask for that.
 * @throws CompatibilityError if what is required, or anything at all, cannot work; OptionError for values that cannot be.
 */
export async function settleForms(platform: Platform, options: GuestOptions): Promise<Settled> {
  const { prefer, require, hardware: given } = options;
  if (prefer === undefined && require === undefined && given === undefined) return { options, standard: ALL_STANDARD };
  checkForms(options);
  const own = await probeHardware(platform);
  const hardware = given === undefined ? own : commonHardware(checkHardwareModel(given), own);
  const firmware = options.firmware === undefined ? [] : [options.firmware].flat();
  // Commands bring an /init of their own; what is looked at is what the caller gave.
  const drivers = await readGuestDrivers({ kernel: options.kernel, initrd: options.initrd, firmware }, platform.unpack);
  const verdicts = judge(drivers, hardware, { prefer: prefer ?? require ?? "paravirt" });
  const settling = new Settling(verdicts, hardware, drivers, options);
  for (const id of ["isa", "pages"]) {
    const verdict = settling.verdict(id);
    if (!verdict.works) settling.refuse(`the guest cannot run on this hardware: it lacks ${verdict.missing}`, verdict);
  }
  for (const { row, what, isWanted } of SINGLE_ROWS) if (isWanted(options)) settling.named(what, row);
  const irqchip = options.irqchip ?? (settling.prefersDirect && settling.works("aia") ? "aia" : undefined);
  const boot = await settleBoot(settling, options, platform);
  // Behind firmware there are no calls to the hypervisor.
  const callsUs = (boot.firmware ?? options.firmware) === undefined && options.boot !== "firmware";
  const settled: GuestOptions = {
    ...options,
    ...boot,
    ...settleConsole(settling, options),
    ...(irqchip && { irqchip }),
    ...(options.disks && { disks: settleDisks(settling, options.disks) }),
    ...(options.nets && { nets: settleNets(settling, options.nets) }),
    ...(callsUs && settleCalls(settling, options.policy)),
    cpu: limitCpu(options.cpu ?? "rv64", withModes(hardware)),
  };
  const standard = { virtioConsole: settling.offers("virtio-console"), entropy: settling.offers("virtio-rng") };
  return { options: settled, standard };
}

/** Names of the extensions that the model's harts have; s and u, which are no part of a string, every hart that Linux runs on has. */
function withModes({ isa }: HardwareModel): Set<string> {
  return new Set([...closure(parseIsa(isa)), "s", "u"]);
}
