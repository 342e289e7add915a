// From options to a running guest. Everything that can be wrong with the options is found
// here, before anything runs.
import { ConsolePort } from "../../assembly/abi/device.ts";
import { BootMode, ClockMode, Irqchip, Tier } from "../../assembly/abi/layout.ts";
import type { DiskBackend } from "../backend/disk.ts";
import { type EntropySource, seededEntropy } from "../backend/entropy.ts";
import { memoryDisk } from "../backend/memory-disk.ts";
import { overlayDisk } from "../backend/overlay-disk.ts";
import { type StandardDevices, settleForms } from "../compat/settle.ts";
import type { EngineConfig } from "../engine/engine.ts";
import { type Inspect, loadInspect } from "../engine/inspect.ts";
import { OptionError } from "../errors.ts";
import { checkHypercalls } from "../hypercall/define-hypercall.ts";
import { resolvePolicy } from "../hypercall/resolve-policy.ts";
import { bootDisk, checkRoomForUBoot } from "../image/boot-disk.ts";
import { concatenateArchives } from "../image/cpio.ts";
import { readSymbols } from "../image/elf-symbols.ts";
import { checkInitrd } from "../image/initrd.ts";
import { type BootImage, type LinuxImage, readKernel, readProgram } from "../image/kernel.ts";
import { execOverlay, networkOverlay } from "../image/overlay.ts";
import { type IrqchipKind, parseCpu, withIrqchip } from "../machine/cpu.ts";
import { type BootInput, planBoot } from "../machine/layout.ts";
import { layOutMemory } from "../machine/memory-map.ts";
import { checkMemory, parseCodeCache, parseHotplug, parseMemory } from "../machine/memory-size.ts";
import { checkCustomDevices } from "./custom-devices.ts";
import { agentPortList } from "./exec.ts";
import { Guest } from "./guest.ts";
import { type AttachedDisk, checkDisks, checkNets, checkPmem, type NamedPort } from "./machine.ts";
import { type AttachedNet, addressWay, macOf, type NetOptions, openNet } from "./net-options.ts";
import {
  type BootKind,
  type ConsoleKind,
  DISK_INTERFACES,
  type DiskOptions,
  type GuestOptions,
  type PmemOptions,
  type TierKind,
} from "./options.ts";
import type { Platform } from "./platform.ts";
import { checkAgainstPolicy, checkMemoryLimit, memoryLimitOf } from "./policy-checks.ts";
import { AGENT_PORT } from "./qemu-agent/port-name.ts";
import { checkShares } from "./shares.ts";
import { checkNoVirtioOptions, checkRing, ringFlags, type VirtioDefaults, virtioDisk } from "./virtio-disk.ts";
import { checkVsock } from "./vsock-device.ts";

const DEFAULT_MEMORY = "512M";
const DEFAULT_CPU = "rv64";
const DEFAULT_CODE_CACHE = "16M";
const TIERS: Record<TierKind, Tier> = { auto: Tier.AUTO, interpreter: Tier.INTERPRETER, translator: Tier.TRANSLATOR };

/** The virtual clock's date at the start: 2025-01-01 00:00:00 UTC. */
const VIRTUAL_EPOCH = 1_735_689_600_000_000_000n;
/** Instructions in a 10 MHz tick of the virtual clock: a hart of 100 million instructions a second. */
const VIRTUAL_RATE = 10;
const RNG_SEED_BYTES = 32;
const MOST_HARTS = 8;
/** Ports of the virtio console that callers may name, after the console and the agent's. */
const FIRST_FREE_PORT = 1 + agentPortList.length;
const PORT_NAME = /^[\x21-\x7e]{1,31}$/;
const MAX_PORTS = ConsolePort.VIRTIO_PORTS - FIRST_FREE_PORT;
/** Makes the seed of the kernel's random numbers another stream than the entropy device's. */
const RNG_SEED_SALT = 0x726e_672d_7365_6564n;

/**
 * Kernel command line for a console, where the caller gives none.
 * @param parameters of drivers for the board, each behind a space
 */
export function defaultCommandLine(console: ConsoleKind, exec: boolean, parameters: readonly string[] = []): string {
  const output = {
    ns16550a: "earlycon=sbi console=ttyS0",
    virtio: "earlycon=sbi console=hvc0",
    sbi: "earlycon=sbi keep_bootcon",
  }[console];
  // A kernel that has panicked restarts after a second, which ends the run.
  return [output, "panic=1", ...(exec ? ["quiet"] : []), ...parameters].join(" ");
}

/**
 * What drivers cannot find out about the board by themselves. Linux's e1000e takes it for granted that messages
 * reach the processor, and calls it an error if they do not: behind a PLIC it is told to use the wires (mode 0), a
 * number for each controller.
 */
function boardParameters(irqchip: IrqchipKind, nets: readonly NetOptions[]): string[] {
  const wired = irqchip === "plic" ? nets.filter(({ model }) => model === "e1000e") : [];
  return wired.length > 0 ? [`e1000e.IntMode=${wired.map(() => 0).join(",")}`] : [];
}

function ramOf(memory: number | string): number {
  if (typeof memory === "string") return parseMemory(memory);
  checkMemory(memory);
  return memory;
}

function seedOf(options: GuestOptions): bigint | undefined {
  const { seed } = options;
  if (seed === undefined) return options.clock === "virtual" ? 1n : undefined;
  if (typeof seed === "number" && !Number.isSafeInteger(seed)) {
    throw new OptionError(`seed ${seed} is not a whole number: write one, or a bigint`);
  }
  return BigInt.asUintN(64, BigInt(seed));
}

function randomSeed(platform: Platform): bigint {
  const bytes = new Uint8Array(8);
  platform.randomBytes(bytes);
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

function openDisk(options: DiskOptions, number: number, defaults: VirtioDefaults): AttachedDisk {
  const { bytes, backend } = options;
  let disk: DiskBackend;
  if (backend !== undefined && bytes === undefined) disk = backend;
  else if (bytes !== undefined && backend === undefined) {
    disk = memoryDisk(bytes, { name: `disk ${number}`, readOnly: options.readOnly });
  } else throw new OptionError(`disk ${number}: give either its bytes or a backend`);
  if (options.overlay) {
    if (options.readOnly) throw new OptionError(`disk ${disk.name}: an overlay is written, so leave out readOnly`);
    disk = overlayDisk(disk);
  }
  const device = options.if ?? "virtio";
  if (!DISK_INTERFACES.includes(device)) {
    throw new OptionError(`disk ${disk.name}: "${device}" is no disk interface: write ${DISK_INTERFACES.join(", ")}`);
  }
  if (options.doorbellBuffer && device !== "nvme") {
    throw new OptionError(`disk ${disk.name}: doorbells in memory are NVMe's: give if: "nvme" too`);
  }
  if (device === "virtio") return { backend: disk, device, virtio: virtioDisk(options, disk.name, defaults) };
  checkNoVirtioOptions(options, disk.name);
  return { backend: disk, device, doorbellBuffer: options.doorbellBuffer };
}

function openPmem(options: PmemOptions, number: number): DiskBackend {
  const { bytes, backend, readOnly, overlay } = options;
  if ((bytes === undefined) === (backend === undefined)) {
    throw new OptionError(`pmem ${number}: give either its bytes or a backend`);
  }
  const disk = backend ?? memoryDisk(bytes as Uint8Array, { name: `pmem ${number}`, readOnly });
  if (!overlay) return disk;
  if (readOnly) throw new OptionError(`pmem ${disk.name}: an overlay is written, so leave out readOnly`);
  // The guest's memory is the overlay.
  return {
    ...{ name: disk.name, size: disk.size, readOnly: false },
    read: (offset, into) => disk.read(offset, into),
    write: () => {},
    discard: () => {},
    flush: () => {},
    close: () => disk.close(),
  };
}

/** The images of a boot: what is placed in memory, and a kernel that the last of them loads from a disk. */
interface Images {
  placed: Pick<BootInput, "firmware" | "kernel">;
  loaded?: LinuxImage;
}

/** What messages call the images, where they have names: "kernel /boot/vmlinux". */
export interface ImageNames {
  kernel?: string;
  initrd?: string;
  /** In the order of the stages. */
  firmware?: string[];
}

async function readImages(options: GuestOptions, boot: BootKind, names: ImageNames): Promise<Images> {
  const stages = options.firmware === undefined ? [] : [options.firmware].flat();
  if (stages.length > 2)
    throw new OptionError("more than two firmware images: give M-mode firmware and what it starts");
  const firmware = stages.length > 0 ? readProgram(stages[0], names.firmware?.[0] ?? "firmware") : undefined;
  if (stages.length > 1) {
    const placed = { firmware, kernel: readProgram(stages[1], names.firmware?.[1] ?? "second firmware stage") };
    if (options.kernel === undefined) return { placed };
    const loaded = await readKernel(options.kernel, names.kernel);
    if (loaded.kind === "elf")
      throw new OptionError("kernel is an ELF program, which U-Boot does not boot: give an Image");
    return { placed, loaded };
  }
  let kernel: BootImage | undefined;
  if (options.kernel) kernel = await readKernel(options.kernel, names.kernel);
  else if (boot === "paravirt") throw new OptionError("no kernel: give a RISC-V Linux Image or ELF file as kernel");
  return { placed: { firmware, kernel } };
}

/** One instance serves all guests: it keeps nothing of theirs but the symbols of the last that crashed. */
const inspects = new WeakMap<Platform, Promise<Inspect>>();

function inspectOf(platform: Platform): Promise<Inspect> {
  let inspect = inspects.get(platform);
  if (inspect === undefined) {
    inspect = platform.loadBytes("inspect").then(loadInspect);
    inspects.set(platform, inspect);
    inspect.catch(() => inspects.delete(platform));
  }
  return inspect;
}

/** The console's ports: the agent's, if there is one, then the caller's. */
function portsOf({ exec, agent, ports: named = [], serial }: GuestOptions): NamedPort[] {
  const ports = agent ? [AGENT_PORT, ...named] : named;
  const first = exec ? agentPortList : [];
  const names = new Set([...first.map(({ name }) => name), ...ports]);
  if (names.size < first.length + ports.length) throw new OptionError(`ports ${ports.join(", ")}: a name is taken`);
  if (ports.length > MAX_PORTS || ports.some((name) => !PORT_NAME.test(name))) {
    throw new OptionError(
      `ports: give at most ${MAX_PORTS - (agent ? 1 : 0)} names of 1 to 31 printable ASCII characters`,
    );
  }
  if (serial !== undefined && (names.has(serial) || !PORT_NAME.test(serial))) {
    throw new OptionError(`serial: give a name of 1 to 31 printable ASCII characters that no port has`);
  }
  return [...first, ...ports.map((name, i) => ({ index: FIRST_FREE_PORT + i, name }))];
}

/** Creates a guest on `platform` and starts it. What stands behind its devices is the guest's from here on, and closed if it cannot be. */
export async function createGuestOn(platform: Platform, options: GuestOptions, names: ImageNames = {}): Promise<Guest> {
  try {
    const { options: settled, standard } = await settleForms(platform, options);
    return await create(platform, settled, names, standard);
  } catch (error) {
    const { disks = [], pmem = [], shares = [], nets = [], vsock } = options;
    for (const { backend } of [...disks, ...pmem, ...shares]) backend?.close();
    for (const { pcap, backend } of nets) {
      pcap?.close();
      if (typeof backend === "object") backend.close();
    }
    vsock?.backend?.close();
    throw error;
  }
}

async function create(
  platform: Platform,
  options: GuestOptions,
  names: ImageNames,
  standard: StandardDevices,
): Promise<Guest> {
  const boot = options.boot ?? (options.firmware === undefined ? "paravirt" : "firmware");
  // A second firmware stage has people to talk to, and drives the UART.
  const hasLoader = Array.isArray(options.firmware) && options.firmware.length > 1;
  const console = options.console ?? (hasLoader ? "ns16550a" : "virtio");
  const exec = options.exec ?? false;
  const virtualClock = options.clock === "virtual";
  const ramBytes = ramOf(options.memory ?? DEFAULT_MEMORY);
  const irqchip = options.irqchip ?? "plic";
  if (irqchip !== "plic" && irqchip !== "aia") {
    throw new OptionError(`"${irqchip}" is no interrupt controller: write plic or aia`);
  }
  const extensions = withIrqchip(parseCpu(options.cpu ?? DEFAULT_CPU), irqchip);
  const tier = TIERS[options.tier ?? "auto"];
  if (tier === undefined) {
    throw new OptionError(`"${options.tier}" is no tier: write auto, interpreter or translator`);
  }
  const harts = options.harts ?? 1;
  if (!Number.isInteger(harts) || harts < 1 || harts > MOST_HARTS) {
    throw new OptionError(`a guest of ${harts} harts cannot be: write a whole number from 1 to ${MOST_HARTS}`);
  }
  const ring = checkRing(options.ring ?? "split", "ring");
  const fixedSeed = seedOf(options);
  const seed = fixedSeed ?? randomSeed(platform);
  const { placed, loaded } = await readImages(options, boot, names);

  let { initrd } = options;
  let overlay: Uint8Array | undefined;
  const isLinux = loaded !== undefined || placed.kernel?.kind === "linux";
  // Over PCI an interrupt costs an exit less, with messages two. Firmware and small kernels look at the mmio slots.
  const transport = isLinux && boot === "paravirt" ? "pci" : "mmio";
  const virtioDefaults: VirtioDefaults = { harts, ring, transport };
  if (initrd !== undefined && isLinux) await checkInitrd(initrd, exec, names.initrd);
  if (exec) {
    if (hasLoader && loaded === undefined) {
      throw new OptionError(
        "exec cannot reach an initrd that U-Boot loads from a disk: give kernel and initrd instead",
      );
    }
    if (initrd === undefined) throw new OptionError("exec needs an initrd with /bin/sh and /bin/busybox: give one");
    overlay = execOverlay();
  }

  const { nets: netsGiven = [] } = options;
  const addresses = netsGiven.map((net, number) => ({ mac: macOf(net, number), way: addressWay(net, platform) }));
  if (initrd !== undefined && isLinux && addresses.some(({ way }) => way !== "dhcp")) {
    const network = networkOverlay(addresses);
    overlay = overlay === undefined ? network : concatenateArchives(overlay, network);
  }

  const append = options.append ?? defaultCommandLine(console, exec, boardParameters(irqchip, netsGiven));
  const disksGiven = [...(options.disks ?? [])];
  if (loaded !== undefined) {
    if (initrd !== undefined && overlay !== undefined) initrd = concatenateArchives(initrd, overlay);
    checkRoomForUBoot(loaded, initrd, ramBytes);
    disksGiven.unshift({ bytes: bootDisk({ kernel: loaded.bytes, initrd, append }), readOnly: true });
    initrd = undefined;
    overlay = undefined;
  }

  const devices = options.devices ?? [];
  checkCustomDevices(devices);
  const hypercalls = options.hypercalls ?? [];
  checkHypercalls(hypercalls);
  const grants = resolvePolicy(options.policy, hypercalls, loaded === undefined ? 0 : 1);
  checkAgainstPolicy(grants, options, boot);
  const memoryLimit = memoryLimitOf(grants);
  checkMemoryLimit(memoryLimit, ramBytes, 0);

  const rngSeed = new Uint8Array(RNG_SEED_BYTES);
  seededEntropy(seed ^ RNG_SEED_SALT).fill(rngSeed);
  const plan = planBoot({
    machine: {
      ramBytes,
      harts,
      extensions,
      boot,
      console,
      serial: options.serial !== undefined,
      irqchip,
      rngSeed,
      bootargs: append,
      devices: devices.map(({ definition }) => definition),
    },
    ...placed,
    initrd,
    overlay,
  });

  const pmem = (options.pmem ?? []).map(openPmem);
  checkPmem(pmem.length);
  checkMemoryLimit(
    memoryLimit,
    ramBytes,
    pmem.reduce((sum, { size }) => sum + size, 0),
  );
  const hotplug = options.hotplugMemory === undefined ? 0 : parseHotplug(options.hotplugMemory);
  const layout = layOutMemory(
    ramBytes,
    hotplug,
    pmem.map(({ name, size }) => ({ name, bytes: size })),
  );

  const config: EngineConfig = {
    ramBytes: layout.totalBytes,
    harts,
    extensions,
    clock: virtualClock ? ClockMode.VIRTUAL : ClockMode.HOST,
    boot: boot === "firmware" ? BootMode.FIRMWARE : BootMode.PARAVIRT,
    wallBase: options.wallClock ?? (virtualClock ? VIRTUAL_EPOCH : BigInt(Date.now()) * 1_000_000n),
    seed,
    virtualRate: VIRTUAL_RATE,
    tier,
    irqchip: irqchip === "aia" ? Irqchip.AIA : Irqchip.PLIC,
    codeCache: parseCodeCache(options.codeCache ?? DEFAULT_CODE_CACHE),
  };
  const entropy: EntropySource =
    fixedSeed === undefined ? { fill: (bytes) => platform.randomBytes(bytes) } : seededEntropy(fixedSeed);

  const [module, inspect] = await Promise.all([platform.loadModule("engine"), inspectOf(platform)]);
  const disks: AttachedDisk[] = [];
  const nets: AttachedNet[] = [];
  try {
    for (const [number, disk] of disksGiven.entries()) disks.push(openDisk(disk, number, virtioDefaults));
    checkDisks(disks);
    checkNets(netsGiven);
    for (const [number, net] of netsGiven.entries()) {
      nets.push(openNet(net, number, harts, platform));
      await nets[number].backend.prepare?.();
    }
    const guest = new Guest({
      platform,
      module,
      inspect,
      symbols: [options.kernel, options.firmware]
        .flat()
        .map((it) => it && readSymbols(it))
        .find((it) => it),
      plan: {
        config,
        boot: plan,
        disks,
        nets,
        ports: portsOf(options),
        serial: options.serial,
        devices,
        grants,
        customInstances: new Map(),
        shares: checkShares(options.shares ?? []),
        vsock: options.vsock && checkVsock(options.vsock),
        pmem,
        memory: {
          layout,
          limit: memoryLimit,
          balloon: options.balloon ?? false,
          rtc: options.rtc ?? false,
          balloonTarget: 0,
          hotplugTarget: 0,
        },
        virtioFlags: ringFlags(ring),
        standard,
      },
      bootDisks: loaded === undefined ? 0 : 1,
      console,
      virtualClock,
      entropy,
      exec,
      logRegions: options.logRegions ?? false,
      cpuTurns: options.cpuTurns,
      onNotice: options.onNotice ?? (() => {}),
      onReset: options.onReset ?? (() => {}),
      onOutput: options.onOutput,
      onRefusal: options.onRefusal,
    });
    if (options.onConsole) guest.console.onData(options.onConsole);
    return guest;
  } catch (error) {
    // Those that were made here; what the caller gave is closed by createGuestOn().
    nets.forEach(({ backend }, number) => {
      if (typeof netsGiven[number].backend === "string") backend.close();
    });
    throw error;
  }
}
