// Unpacks Debian packages (deb(5)) with dpkg-deb, which is there wherever apt is.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { DebianGuestError } from "./debian-error.ts";
import { runProgram } from "./run-program.ts";

async function dpkgDeb(args: string[]): Promise<Buffer> {
  const { status, stdout, stderr } = await runProgram("dpkg-deb", args).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new DebianGuestError("this machine has no dpkg-deb: make the guest on Debian", { cause: error });
  });
  if (status !== 0) {
    const why = /No space left/i.test(stderr) ? "no space left on the disk of the cache, free 700 MB" : stderr.trim();
    throw new DebianGuestError(`dpkg-deb ${args.join(" ")} failed: ${why}`);
  }
  return stdout;
}

/** Unpacks the files of a package into `folder`. */
export async function unpackDeb(deb: string, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await dpkgDeb(["--extract", deb, folder]);
}

/** One member of an ar archive (the container of a .deb), padded to an even length. */
function arMember(name: string, data: Uint8Array): Uint8Array[] {
  const header = `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(data.length).padEnd(10)}\`\n`;
  return [Buffer.from(header), data, Buffer.alloc(data.length % 2, "\n")];
}

/**
 * The content of a .xz, .zst or .gz file. A minimal Debian has no `xz`, but its dpkg-deb
 * decompresses the data member of a package and prints it: so the file is made one.
 * @param scratch path of a file to use in between.
 */
export async function decompress(name: string, data: Uint8Array, scratch: string): Promise<Uint8Array> {
  const format = /\.(xz|zst|gz)$/.exec(name)?.[1];
  if (!format) return data;
  if (format === "gz") return gunzipSync(data);
  const deb = [
    Buffer.from("!<arch>\n"),
    ...arMember("debian-binary", Buffer.from("2.0\n")),
    ...arMember("control.tar", new Uint8Array(1024)),
    ...arMember(`data.tar.${format}`, data),
  ];
  writeFileSync(scratch, Buffer.concat(deb));
  try {
    return await dpkgDeb(["--fsys-tarfile", scratch]);
  } finally {
    rmSync(scratch, { force: true });
  }
}
