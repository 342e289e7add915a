// The root file system of a disk image, mounted in a guest of ours: its kernel reads and writes whatever Debian's
// kernel can, the host needs no program and no root for it, and a damaged or hostile image has that guest to
// itself and nothing else.
//
// Every file is reached through chroot(2), so that links lead where they would lead on the image. The busybox that does it
// lies on a tmpfs over one of the image's own directories, which leaves the image as it is.
import type { FileSource } from "../../../compat/file-source.ts";
import { OptionError } from "../../../errors.ts";
import { createGuestOn } from "../../../guest/create.ts";
import type { ExecOptions, ExecResult } from "../../../guest/exec.ts";
import type { Guest } from "../../../guest/guest.ts";
import { resolveOptions } from "../options.ts";
import { nodePlatform } from "../platform.ts";

const MEMORY = "768M";
/** Files are read whole: the largest that is of use is an initrd or a kernel. */
const MOST_BYTES = 256 * 1024 * 1024;
const MOST_MILLISECONDS = 300_000;
const MOST_ENTRIES = 100_000;

/**
 * Prints which node it mounted at /mnt and where busybox is below it. The image is the first virtio disk. Of several file
 * systems the root is the one that looks like one; without any such the first.
 */
const MOUNT = `modprobe -qa crc32c_generic ext4 erofs squashfs 2>/dev/null
first=
try() {
  for kind in ext4 erofs squashfs; do
    mount -t $kind -o $mode "$1" /mnt 2>/dev/null && return 0
  done
  return 1
}
for node in /dev/vda /dev/vda[0-9]*; do
  [ -b $node ] && try $node || continue
  : \${first:=$node}
  [ -d /mnt/etc ] && [ -e /mnt/usr -o -L /mnt/bin -o -d /mnt/bin ] && break
  umount /mnt
  node=
done
if ! [ -b "$node" ]; then
  node=$first
  [ -n "$node" ] && try $node || { echo none; exit 1; }
fi
for place in proc sys dev run tmp mnt boot etc; do
  [ -d /mnt/$place ] && ! [ -L /mnt/$place ] || continue
  mount -t tmpfs -o mode=755 tmpfs /mnt/$place && cp /bin/busybox /mnt/$place/ && echo $node $place && exit
done
echo empty
exit 1`;

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** `text` as one word of the shell's. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export interface MountOptions {
  /** For messages. Default: the image's path. */
  name?: string;
  /** The file itself is written to; else all writes are thrown away. */
  writable?: boolean;
  /** Attaches the Debian guest's tools, at /tools. */
  tools?: boolean;
  onNotice?(line: string): void;
}

export class MountedImage implements FileSource {
  readonly name: string;
  readonly #guest: Guest;
  readonly #busybox: string;

  readonly #isWritable: boolean;

  private constructor(name: string, guest: Guest, busybox: string, isWritable: boolean) {
    this.name = name;
    this.#guest = guest;
    this.#busybox = busybox;
    this.#isWritable = isWritable;
  }

  /** @throws OptionError if no file system of the image can be mounted; DebianGuestError if there is no guest to do it. */
  static async open(path: string, mount: MountOptions = {}): Promise<MountedImage> {
    const { name = path, writable = false, tools = false, onNotice } = mount;
    const { options, names } = await resolveOptions(
      {
        ...{ guest: "debian", exec: true, memory: MEMORY, tools, onNotice },
        disks: [{ path, if: "virtio", overlay: !writable }],
      },
      (line) => onNotice?.(line),
    );
    const guest = await createGuestOn(nodePlatform, options, names);
    try {
      const { status, stdout } = await guest.exec(`mode=${writable ? "rw" : "ro"}\n${MOUNT}`, {
        timeout: MOST_MILLISECONDS,
      });
      const [node, place] = decode(stdout).trim().split(" ");
      if (status !== 0 || place === undefined) {
        const why = node === "empty" ? "is no root file system: it has none of its directories" : "cannot be mounted";
        throw new OptionError(`image ${name} ${why}: check it with fsck, or give another`);
      }
      return new MountedImage(name, guest, `/${place}/busybox`, writable);
    } catch (error) {
      guest.close();
      throw error;
    }
  }

  /** Runs `command` beside the image, which is at /mnt. */
  exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    return this.#guest.exec(command, { timeout: MOST_MILLISECONDS, outputLimit: MOST_BYTES, ...options });
  }

  /** Runs a program of busybox's on the image, which is its root. `command` is the shell's. */
  inside(command: string, options?: ExecOptions): Promise<ExecResult> {
    return this.exec(`chroot /mnt ${this.#busybox} ${command}`, options);
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    if (path.includes("\0")) return undefined;
    const file = quoted(`/${path}`);
    // Neither a pipe nor a device is opened.
    const { status, stdout } =
      await this.exec(`set -- $(chroot /mnt ${this.#busybox} stat -Lc '%s %F' -- ${file} 2>/dev/null)
case "$2" in
  regular) [ "$1" -le ${MOST_BYTES} ] && exec chroot /mnt ${this.#busybox} cat -- ${file} ;;
esac
exit 1`);
    return status === 0 ? stdout : undefined;
  }

  async has(path: string): Promise<boolean> {
    if (path.includes("\0")) return false;
    return (await this.inside(`test -e ${quoted(`/${path}`)}`)).status === 0;
  }

  async list(path: string): Promise<string[]> {
    if (path.includes("\0")) return [];
    // With the slash, what is no directory has nothing in it.
    const { status, stdout } = await this.inside(`ls -A1 -- ${quoted(`/${path}/`)}`);
    return status !== 0 ? [] : decode(stdout).split("\n", MOST_ENTRIES).filter(Boolean);
  }

  /** Unpacks a cpio archive over the image. @throws OptionError with what the guest says if it cannot, as on a full image. */
  async unpack(archive: Uint8Array): Promise<void> {
    this.#checkUnpacked(await this.inside("cpio -idu", { stdin: archive }));
  }

  /** The same with an archive that the guest has, outside of the image. */
  async unpackFile(path: string): Promise<void> {
    this.#checkUnpacked(await this.inside(`cpio -idu <${quoted(path)}`));
  }

  #checkUnpacked({ status, stderr }: ExecResult): void {
    if (status === 0) return;
    const said = decode(stderr).trim().split("\n").at(-1)?.slice(0, 300) ?? "";
    const advice = /No space/.test(said) ? "make its file system larger" : "check it with fsck";
    throw new OptionError(`image ${this.name} cannot be written to (${said}): ${advice}`);
  }

  /** Writes back what is left to write, and switches the guest off. @throws OptionError if that failed. */
  async close(): Promise<void> {
    if (!this.#isWritable) return this.#guest.close();
    const place = `/mnt${this.#busybox.slice(0, this.#busybox.lastIndexOf("/"))}`;
    const done = await this.exec(`umount ${place} && umount /mnt && sync`).catch(() => undefined);
    await this.#guest.powerOff();
    if (done?.status !== 0) {
      const said = done === undefined ? "" : ` (${decode(done.stderr).trim().slice(0, 300)})`;
      throw new OptionError(`image ${this.name} could not be unmounted${said}: what was written to it may be lost`);
    }
  }
}
