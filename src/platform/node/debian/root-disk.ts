// The root disk: a minimal Debian with systemd, and some ordinary programs, as an ext4 image.
// It boots with the Debian guest's kernel and an initrd that switches to it. Made once, by
// unpacking packages; after that it comes from the cache, without network.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { concatenateArchives } from "../../../image/cpio.ts";
import { rootOverlay } from "../../../image/overlay.ts";
import { ROOT_LABEL } from "../../../image/root-script.ts";
import type { DebianGuest, DebianGuestOptions } from "./build.ts";
import { defaultCacheDir, replaceFile } from "./cache.ts";
import { cachedBuild, type Workplace } from "./cached-build.ts";
import { writeExt4 } from "./ext4.ts";
import { completeTree } from "./root-tree.ts";

/** debootstrap's minbase, and what it takes to come to a login prompt. */
const SYSTEM_PACKAGES = [
  ...["?essential", "?priority(required)", "apt"],
  ...["systemd-sysv", "udev", "dbus", "login", "kmod", "iproute2"],
];
const PROGRAM_PACKAGES = ["openssl", "python3", "gzip", "xz-utils", "sqlite3", "gcc", "libc6-dev"];

/** Counts up whenever what is built out of the same packages changes. */
const RECIPE_VERSION = 1;
const RECIPE = hashOf(JSON.stringify([RECIPE_VERSION, SYSTEM_PACKAGES, PROGRAM_PACKAGES]));
const FILE = "root.ext4";
const SIZE = 2 * 1024 ** 3;
/** MB that making it takes. */
const SPACE_NEEDED = 1500;

/** Absolute paths of what a guest with its system on a disk needs besides a kernel. */
export interface RootDisk {
  /** The disk: ext4 without partitions. Guests write to it, so it is best attached with an overlay. */
  image: string;
  /** The Debian guest's initrd with an /init that starts the system on the root disk. */
  initrd: string;
  /** Versions of the packages on the disk, by name. */
  packages: Record<string, string>;
}

function hashOf(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

/**
 * The root disk for a Debian guest, from the cache or, the first time, made with the machine's own apt client.
 * @throws DebianGuestError if this machine cannot make it; the message says what to do.
 */
export async function buildRootDisk(guest: DebianGuest, options: DebianGuestOptions = {}): Promise<RootDisk> {
  const { cacheDir = defaultCacheDir(), release = "trixie", refresh = false, progress = () => undefined } = options;
  const plan = {
    name: "the root disk",
    folder: join(cacheDir, "debian", `${release}-root`),
    release,
    recipe: RECIPE,
    space: SPACE_NEEDED,
    make,
  };
  const { folder, record } = await cachedBuild(plan, { refresh, progress });
  return { image: join(folder, FILE), initrd: rootInitrd(guest.initrd), packages: record.packages };
}

async function make({ packages, out, scratch, progress }: Workplace): Promise<string> {
  const tree = join(scratch, "root");
  await packages.fetchSystem([...SYSTEM_PACKAGES, ...PROGRAM_PACKAGES], tree);
  progress("making the root disk");
  completeTree(tree);
  await writeExt4(tree, { image: join(out, FILE), label: ROOT_LABEL, size: SIZE, scratch: join(scratch, "owners") });
  return "";
}

/** Lies beside the guest's own, whose modules are those of its kernel, and goes when that goes. */
function rootInitrd(initrd: string): string {
  const overlay = rootOverlay();
  const path = join(dirname(initrd), `root-initrd-${hashOf(overlay)}.cpio`);
  if (!existsSync(path)) replaceFile(path, concatenateArchives(readFileSync(initrd), overlay));
  return path;
}
