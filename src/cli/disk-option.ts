// --disk FILE[,if=nvme|ahci|virtio][,ro|,overlay][,dbbuf=on|off]. The file's name may hold commas: settings are
// taken off the end as long as they are known ones.
import { OptionError } from "../errors.ts";
import { DISK_INTERFACES, type DiskInterface } from "../guest/options.ts";

export interface DiskArgument {
  path: string;
  if: DiskInterface;
  readOnly: boolean;
  overlay: boolean;
  doorbellBuffer?: boolean;
}

const SETTINGS = [...DISK_INTERFACES.map((name) => `if=${name}`), "ro", "overlay", "dbbuf=on", "dbbuf=off"];

export function parseDisk(text: string): DiskArgument {
  const parts = text.split(",");
  const settings = new Set<string>();
  while (parts.length > 1 && SETTINGS.includes(parts[parts.length - 1])) settings.add(parts.pop() as string);

  const last = parts[parts.length - 1];
  const looksLikeSetting = parts.length > 1 && (/^[a-z]+=/.test(last) || /^[a-z]{1,8}$/.test(last));
  if (looksLikeSetting) throw new OptionError(`disk setting "${last}" is not known: write ${SETTINGS.join(", ")}`);
  const path = parts.join(",");
  if (path === "") {
    const examples = DISK_INTERFACES.map((name) => `--disk FILE,if=${name}`);
    throw new OptionError(`a disk needs a file: write ${examples.join(" or ")}`);
  }
  const interfaces = DISK_INTERFACES.filter((name) => settings.has(`if=${name}`));
  if (interfaces.length > 1) throw new OptionError(`disk ${path} can be ${interfaces.join(" or ")}, not both`);
  if (settings.has("ro") && settings.has("overlay")) {
    throw new OptionError(
      `disk ${path}: "ro" and "overlay" exclude each other: an overlay is written, and thrown away`,
    );
  }
  const device = interfaces[0] ?? "virtio";
  const doorbellBuffer = settings.has("dbbuf=on");
  if (doorbellBuffer && settings.has("dbbuf=off")) throw new OptionError(`disk ${path}: dbbuf is on or off, not both`);
  if (doorbellBuffer && device !== "nvme") {
    throw new OptionError(`disk ${path}: dbbuf=on puts NVMe's doorbells in memory: write if=nvme too`);
  }
  return {
    path,
    if: device,
    readOnly: settings.has("ro"),
    overlay: settings.has("overlay"),
    ...(doorbellBuffer ? { doorbellBuffer } : {}),
  };
}
