// The library for Node.
//
//   const guest = await createGuest({ guest: "debian", exec: true });
//   const { status, stdout } = await guest.exec("uname -m");
//   await guest.powerOff();
import { createGuestOn } from "./guest/create.ts";
import type { Guest } from "./guest/guest.ts";
import { type NodeGuestOptions, resolveOptions } from "./platform/node/options.ts";
import { nodePlatform } from "./platform/node/platform.ts";

export { type Addons, type AddonsOptions, addToInitrd } from "./platform/node/compat/addons.ts";
export { type CheckOptions, checkGuest, guestDrivers, hardwareModel } from "./platform/node/compat/check-guest.ts";
export { addToImage, type ImageAddons, type ImageAddonsOptions } from "./platform/node/compat/image-addons.ts";
export * from "./platform/node/debian/build.ts";
export { DebianGuestError } from "./platform/node/debian/debian-error.ts";
export { type BuiltKernel, buildKernel, type KernelOptions } from "./platform/node/debian/kernel.ts";
export type { KernelConfigName } from "./platform/node/debian/kernel-config.ts";
export { buildRootDisk, type RootDisk } from "./platform/node/debian/root-disk.ts";
export { fileDisk } from "./platform/node/file-disk.ts";
export { createHypervisor, type HostedGuestOptions, type HostedNetOptions } from "./platform/node/hypervisor.ts";
export type {
  FileOrBytes,
  NodeDiskOptions,
  NodeGuestOptions,
  NodeNetOptions,
  NodePmemOptions,
  NodeShareOptions,
  NodeVsockOptions,
} from "./platform/node/options.ts";
export { FolderShare } from "./platform/node/share/folder-share.ts";
export { type StreamNet, type StreamNetOptions, streamNet } from "./platform/node/stream-net.ts";
export { userNet } from "./platform/node/user-net.ts";
export * from "./public.ts";

/**
 * Creates a guest and starts it. Files are given by path or as bytes.
 * `options.onNotice` hears of what takes long, such as making the Debian guest the first time.
 * @throws OptionError or BootError if the options cannot work, DebianGuestError if the Debian
 *   guest cannot be made, HostError if the host lacks something.
 */
export async function createGuest(options: NodeGuestOptions): Promise<Guest> {
  const { options: resolved, names } = await resolveOptions(options, (line) => options.onNotice?.(line));
  return createGuestOn(nodePlatform, resolved, names);
}
