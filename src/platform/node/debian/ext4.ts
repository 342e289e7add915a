// Writes a folder into an ext4 image with e2fsprogs, which need no root for it. Everything on
// it belongs to root, whoever unpacked it.
import { closeSync, ftruncateSync, lstatSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DebianGuestError } from "./debian-error.ts";
import { runProgram } from "./run-program.ts";

export interface Ext4Options {
  image: string;
  label: string;
  /** Of the image, in bytes; what is not in use is a hole in the file. */
  size: number;
  /** Path of a file to use in between. */
  scratch: string;
}

/** Inode tables and journal are written here, and not by a thread of the guest's kernel while it runs. */
const EXTENDED = "root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0";

export async function writeExt4(folder: string, { image, label, size, scratch }: Ext4Options): Promise<void> {
  const file = openSync(image, "w");
  ftruncateSync(file, size);
  closeSync(file);
  await e2fsprogs("mke2fs", ["-q", "-F", "-t", "ext4", "-m", "0", "-L", label, "-E", EXTENDED, "-d", folder, image]);
  const commands = ownershipCommands(folder);
  if (commands.length === 0) return;
  writeFileSync(scratch, `${commands.join("\n")}\n`);
  await e2fsprogs("debugfs", ["-w", "-f", scratch, image]);
}

/** Paths below `folder`. Links are not followed: they may lead out of it, to the host's own folders. */
function pathsBelow(folder: string, prefix = ""): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((item) => {
    const path = join(prefix, item.name);
    return item.isDirectory() ? [path, ...pathsBelow(folder, path)] : [path];
  });
}

/** Commands of debugfs(8) for what does not belong to root in the folder, and hence on the image. */
function ownershipCommands(folder: string): string[] {
  return pathsBelow(folder).flatMap((path) => {
    const { uid, gid } = lstatSync(join(folder, path));
    const owners = Object.entries({ uid, gid }).filter(([, id]) => id !== 0);
    return owners.map(([field]) => `set_inode_field "/${path}" ${field} 0`);
  });
}

async function e2fsprogs(program: string, args: string[]): Promise<void> {
  // Debian keeps them out of the path of users.
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const { status, stderr } = await runProgram(program, args, { env }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new DebianGuestError(`this machine has no ${program}: install e2fsprogs`, { cause: error });
  });
  // debugfs prints its version there, and goes on after errors with status 0.
  const errors = stderr.split("\n").filter((line) => line !== "" && !/^debugfs \d/.test(line));
  if (status !== 0 || errors.length > 0) {
    throw new DebianGuestError(`${program} failed: ${errors[0] ?? `status ${status}`}`);
  }
}
