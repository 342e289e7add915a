// --disk FILE[,if=nvme|virtio][,ro|,overlay]. The file's name may hold commas: settings are
// taken off the end as long as they are known ones.
import { OptionError } from "../errors.ts";

export interface DiskArgument {
  path: string;
  if: "nvme" | "virtio";
  readOnly: boolean;
  overlay: boolean;
}

const SETTINGS = ["if=nvme", "if=virtio", "ro", "overlay"];

export function parseDisk(text: string): DiskArgument {
  const parts = text.split(",");
  const settings = new Set<string>();
  while (parts.length > 1 && SETTINGS.includes(parts[parts.length - 1])) settings.add(parts.pop() as string);

  const last = parts[parts.length - 1];
  const looksLikeSetting = parts.length > 1 && (/^[a-z]+=/.test(last) || /^[a-z]{1,8}$/.test(last));
  if (looksLikeSetting) throw new OptionError(`disk setting "${last}" is not known: write ${SETTINGS.join(", ")}`);
  const path = parts.join(",");
  if (path === "") throw new OptionError("a disk needs a file: write --disk FILE,if=nvme or --disk FILE,if=virtio");
  if (settings.has("if=nvme") && settings.has("if=virtio")) {
    throw new OptionError(`disk ${path} can be nvme or virtio, not both`);
  }
  if (settings.has("ro") && settings.has("overlay")) {
    throw new OptionError(
      `disk ${path}: "ro" and "overlay" exclude each other: an overlay is written, and thrown away`,
    );
  }
  return {
    path,
    if: settings.has("if=nvme") ? "nvme" : "virtio",
    readOnly: settings.has("ro"),
    overlay: settings.has("overlay"),
  };
}
