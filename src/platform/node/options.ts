// What createGuest takes in Node beyond the library's own options: files by path, and the
// Debian guest by name.
import { readFile } from "node:fs/promises";
import type { PcapSink } from "../../backend/pcap.ts";
import { type HardwareModel, parseHardwareModel } from "../../compat/hardware-model.ts";
import { OptionError } from "../../errors.ts";
import type { Closable } from "../../guest/close-all.ts";
import type { ImageNames } from "../../guest/create.ts";
import type {
  DiskOptions,
  GuestOptions,
  NetOptions,
  PmemOptions,
  ShareOptions,
  VsockOptions,
} from "../../guest/options.ts";
import { buildDebianGuest, type DebianGuest } from "./debian/build.ts";
import { fileDisk } from "./file-disk.ts";
import { pcapFile } from "./pcap-file.ts";
import { FolderShare } from "./share/folder-share.ts";
import { unixVsock } from "./unix-vsock.ts";

/** A disk in a file, or one of the library's own. */
export interface NodeDiskOptions extends DiskOptions {
  /** A file or block device. */
  path?: string;
}

/** A network device; its capture may be a file's path. */
export interface NodeNetOptions extends Omit<NetOptions, "pcap"> {
  pcap?: string | PcapSink;
}

/** A folder of the host, or a share of the library's own. */
export interface NodeShareOptions extends ShareOptions {
  /** The folder. Linux only. */
  path?: string;
}

/** Sockets between guest and host, as Unix sockets or through a backend of the caller's. */
export interface NodeVsockOptions extends VsockOptions {
  /**
   * A Unix socket to be made: programs that connect to it and write "CONNECT <port>\\n" reach that port of the guest, and
   * the guest reaches, as port P of the host, whoever listens on `path`_P.
   */
  path?: string;
}

/** Persistent memory in a file, or one of the library's own. */
export interface NodePmemOptions extends PmemOptions {
  /** A file or block device. */
  path?: string;
}

/** Contents, or the path of a file that holds them. */
export type FileOrBytes = string | Uint8Array;

type GivenOtherwise = "hardware" | "kernel" | "initrd" | "firmware" | "disks" | "nets" | "shares" | "vsock" | "pmem";

export interface NodeGuestOptions extends Omit<GuestOptions, GivenOtherwise> {
  /** "debian": Debian's kernel and an initramfs made of its packages; kept after the first time. */
  guest?: "debian";
  kernel?: FileOrBytes;
  initrd?: FileOrBytes;
  /** A hardware model, or the path of a file with one. */
  hardware?: string | HardwareModel;
  /**
   * "opensbi", "u-boot" (OpenSBI, then U-Boot, then the kernel from a disk: from one of `disks`, else
   * from one made of kernel and initrd), or firmware of your own.
   */
  firmware?: "opensbi" | "u-boot" | FileOrBytes | FileOrBytes[];
  disks?: NodeDiskOptions[];
  /** Network devices, at most eight. Default: none. */
  nets?: NodeNetOptions[];
  /** Folders that the guest can mount, at most eight. Default: none. */
  shares?: NodeShareOptions[];
  /** Sockets between guest and host (AF_VSOCK). Default: none. */
  vsock?: NodeVsockOptions;
  pmem?: NodePmemOptions[];
  /** Attaches the Debian guest's disk of tools (fio, stress-ng, ...). Default: no. */
  tools?: boolean;
}

/** The bytes of a file, or those that were given. `what` names it in messages. */
export async function read(file: FileOrBytes, what: string): Promise<Uint8Array> {
  if (typeof file !== "string") return file;
  try {
    return await readFile(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === "ENOENT" ? "does not exist" : code === "EISDIR" ? "is a directory" : `cannot be read (${message})`;
    throw new OptionError(`${what} ${file} ${reason}: give the path of a file`, { cause });
  }
}

/** The hardware model in the file `path`. @throws OptionError if there is none. */
export async function readHardware(path: string): Promise<HardwareModel> {
  const what = `hardware model ${path}`;
  return parseHardwareModel(new TextDecoder().decode(await read(path, "hardware model")), what);
}

function isOurFirmware(firmware: NodeGuestOptions["firmware"]): firmware is "opensbi" | "u-boot" {
  return firmware === "opensbi" || firmware === "u-boot";
}

async function readFirmware(
  firmware: NodeGuestOptions["firmware"],
  debian: DebianGuest | undefined,
): Promise<Uint8Array[] | undefined> {
  if (firmware === undefined) return undefined;
  if (!isOurFirmware(firmware)) {
    return Promise.all([firmware].flat().map((file) => read(file as FileOrBytes, "firmware")));
  }
  const { opensbi, uboot } = debian as DebianGuest;
  const stages = [await read(opensbi.dynamic, "firmware")];
  if (firmware === "u-boot") stages.push(await read(uboot, "firmware"));
  return stages;
}

/** Hears of everything that was opened, so that it can be closed if something else cannot be. */
type Opened = Closable[];

function openFiles<T extends PmemOptions>(
  what: string,
  disks: readonly (T & { path?: string })[],
  opened: Opened,
): T[] {
  return disks.map(({ path, ...rest }) => {
    const disk = rest as unknown as T;
    if (path === undefined) return disk;
    if (disk.bytes !== undefined || disk.backend !== undefined) {
      throw new OptionError(`${what} ${path}: give a path, bytes or a backend, only one of them`);
    }
    // An overlay never writes what is under it.
    const backend = fileDisk(path, { readOnly: disk.readOnly || disk.overlay });
    opened.push(backend);
    return { ...disk, backend };
  });
}

/** Opens captures that are given by path. */
function openCaptures(nets: readonly NodeNetOptions[], opened: Opened): NetOptions[] {
  return nets.map(({ pcap, ...net }) => {
    if (typeof pcap !== "string") return { ...net, pcap };
    const sink = pcapFile(pcap);
    opened.push(sink);
    return { ...net, pcap: sink };
  });
}

function openShares(shares: readonly NodeShareOptions[], opened: Opened): ShareOptions[] {
  return shares.map(({ path, ...share }) => {
    if (path === undefined) return share;
    if (share.backend !== undefined) throw new OptionError(`share ${path}: give a path or a backend, not both`);
    const backend = new FolderShare(path, share);
    opened.push(backend);
    return { ...share, backend };
  });
}

async function openVsock({ path, ...vsock }: NodeVsockOptions, opened: Opened): Promise<VsockOptions> {
  if (path === undefined) return vsock;
  if (vsock.backend !== undefined) throw new OptionError(`vsock ${path}: give a path or a backend, not both`);
  const backend = await unixVsock(path);
  opened.push(backend);
  return { ...vsock, backend };
}

/** Opens what is given by path: all of it, or nothing stays open. */
async function openPaths({
  disks = [],
  pmem = [],
  nets = [],
  shares = [],
  vsock,
}: NodeGuestOptions): Promise<
  Required<Pick<GuestOptions, "disks" | "pmem" | "nets" | "shares">> & Pick<GuestOptions, "vsock">
> {
  const opened: Opened = [];
  try {
    return {
      vsock: vsock && (await openVsock(vsock, opened)),
      nets: openCaptures(nets, opened),
      shares: openShares(shares, opened),
      disks: openFiles<DiskOptions>("disk", disks, opened),
      pmem: openFiles<PmemOptions>("pmem", pmem, opened),
    };
  } catch (error) {
    for (const it of opened) it.close();
    throw error;
  }
}

/** "kernel /boot/vmlinux" for a file, "kernel" for bytes. */
function nameOf(what: string, file: FileOrBytes | undefined): string {
  return typeof file === "string" ? `${what} ${file}` : what;
}

/** The library's own options, and what messages call the images in them. */
export interface ResolvedOptions {
  options: GuestOptions;
  names: ImageNames;
}

/** Reads files, makes the Debian guest if it is asked for, and opens disks. `progress` hears of what takes long. */
export async function resolveOptions(
  options: NodeGuestOptions,
  progress: (line: string) => void,
): Promise<ResolvedOptions> {
  const { guest, tools, firmware, hardware, disks = [], ...rest } = options;
  if (guest !== undefined && guest !== "debian") {
    throw new OptionError(`guest "${guest}" is not known: write debian, or give a kernel`);
  }
  const needsDebian = guest === "debian" || tools || isOurFirmware(firmware);
  const debian = needsDebian ? await buildDebianGuest({ progress }) : undefined;

  // U-Boot boots what it finds on the disks that are given.
  const usesKernel = firmware !== "u-boot" || disks.length === 0;
  const kernel = options.kernel ?? (guest === "debian" && usesKernel ? debian?.kernel : undefined);
  const initrd = options.initrd ?? (guest === "debian" && usesKernel ? debian?.initrd : undefined);
  const all = tools ? [...disks, { path: debian?.toolsDisk, readOnly: true }] : disks;
  const [kernelBytes, initrdBytes, firmwareBytes] = await Promise.all([
    kernel === undefined ? undefined : read(kernel, "kernel"),
    initrd === undefined ? undefined : read(initrd, "initrd"),
    readFirmware(firmware, debian),
  ]);
  const model = typeof hardware === "string" ? await readHardware(hardware) : hardware;
  const stages = firmware === undefined || isOurFirmware(firmware) ? [] : [firmware].flat();
  const files = { kernel: kernelBytes, initrd: initrdBytes, firmware: firmwareBytes };
  return {
    options: {
      ...rest,
      ...files,
      ...(model && { hardware: model }),
      ...(await openPaths({ ...options, disks: all })),
    },
    names: {
      kernel: nameOf("kernel", kernel),
      initrd: nameOf("initrd", initrd),
      firmware: stages.map((file) => nameOf("firmware", file)),
    },
  };
}
