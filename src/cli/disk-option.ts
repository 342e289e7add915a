// --disk FILE[,if=nvme|ahci|virtio][,ro|,overlay], for NVMe [,dbbuf=on|off], and for virtio disks
// [,transport=pci|mmio][,queues=N][,ring=split|packed][,indirect=on][,notify=data].
import { OptionError } from "../errors.ts";
import { DISK_INTERFACES, type DiskInterface, type RingKind } from "../guest/options.ts";
import { takeAccess, takeFile } from "./settings.ts";

export interface DiskArgument {
  path: string;
  /** Undefined where it is left open. */
  if?: DiskInterface;
  readOnly: boolean;
  overlay: boolean;
  transport?: "mmio" | "pci";
  queues?: number;
  ring?: RingKind;
  indirect?: boolean;
  notificationData?: boolean;
  doorbellBuffer?: boolean;
}

const SETTINGS = [...DISK_INTERFACES.map((name) => `if=${name}`), "ro", "overlay", "dbbuf=on", "dbbuf=off"];
/** Of virtio disks. */
const VIRTIO_SETTINGS = ["transport=pci", "transport=mmio", "ring=split", "ring=packed", "indirect=on", "notify=data"];
const QUEUES = /^queues=(\d{1,4})$/;

function isSetting(text: string): boolean {
  return SETTINGS.includes(text) || VIRTIO_SETTINGS.includes(text) || QUEUES.test(text);
}

/** The settings of a virtio disk; createGuest() checks what they are worth. */
function virtioSettings(settings: Set<string>, path: string): Partial<DiskArgument> {
  const one = <T extends string>(key: string, values: readonly T[]): T | undefined => {
    const given = values.filter((value) => settings.has(`${key}=${value}`));
    if (given.length > 1) throw new OptionError(`disk ${path}: ${key} can be ${given.join(" or ")}, not both`);
    return given[0];
  };
  const queues = [...settings].map((setting) => QUEUES.exec(setting)?.[1]).filter((it) => it !== undefined);
  if (queues.length > 1) throw new OptionError(`disk ${path}: queues is given twice: write it once`);
  const transport = one("transport", ["pci", "mmio"]);
  const ring = one("ring", ["split", "packed"]);
  return {
    ...(transport && { transport }),
    ...(ring && { ring }),
    ...(queues.length > 0 && { queues: Number(queues[0]) }),
    ...(settings.has("indirect=on") && { indirect: true }),
    ...(settings.has("notify=data") && { notificationData: true }),
  };
}

export function parseDisk(text: string): DiskArgument {
  const file = takeFile(text, "disk", isSetting, [...SETTINGS, ...VIRTIO_SETTINGS, "queues=N"]);
  const { path, settings } = file;
  if (path === "") {
    const examples = DISK_INTERFACES.map((name) => `--disk FILE,if=${name}`);
    throw new OptionError(`a disk needs a file: write ${examples.join(" or ")}`);
  }
  const interfaces = DISK_INTERFACES.filter((name) => settings.has(`if=${name}`));
  if (interfaces.length > 1) throw new OptionError(`disk ${path} can be ${interfaces.join(" or ")}, not both`);
  const access = takeAccess(file, "disk");
  const virtio = virtioSettings(settings, path);
  const device: DiskInterface | undefined = interfaces[0] ?? (Object.keys(virtio).length > 0 ? "virtio" : undefined);
  const doorbellBuffer = settings.has("dbbuf=on");
  if (doorbellBuffer && settings.has("dbbuf=off")) throw new OptionError(`disk ${path}: dbbuf is on or off, not both`);
  if (doorbellBuffer && device !== "nvme") {
    throw new OptionError(`disk ${path}: dbbuf=on puts NVMe's doorbells in memory: write if=nvme too`);
  }
  return {
    path,
    ...(device && { if: device }),
    ...access,
    ...virtio,
    ...(doorbellBuffer ? { doorbellBuffer } : {}),
  };
}
