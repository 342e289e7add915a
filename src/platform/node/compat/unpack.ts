// Unpacks what initramfs and modules are packed with: gzip by Node's zlib, the others by the
// program of the host that Debian has for each.
import { spawn } from "node:child_process";
import { gunzip as gunzipCallback } from "node:zlib";
import type { Packing, Unpack } from "../../../compat/initramfs.ts";
import { ImageError } from "../../../image/file-tree.ts";

/** Programs, and Debian's packages that hold them. */
const PROGRAMS: Record<Exclude<Packing, "gzip">, { command: string[]; package: string }> = {
  zstd: { command: ["zstd", "-dcq"], package: "zstd" },
  xz: { command: ["xz", "-dcq"], package: "xz-utils" },
  lzma: { command: ["xz", "--format=lzma", "-dcq"], package: "xz-utils" },
  lz4: { command: ["lz4", "-dcq"], package: "lz4" },
  bzip2: { command: ["bzip2", "-dcq"], package: "bzip2" },
  lzo: { command: ["lzop", "-dcq"], package: "lzop" },
};

function tooLarge(most: number): ImageError {
  return new ImageError(`it unpacks to more than ${most} bytes, which no guest's memory holds`);
}

/** All members of a gzip file, as gunzip has them; zeros behind them are none. */
function gunzip(bytes: Uint8Array, most: number): Promise<{ content: Uint8Array; used?: number }> {
  return new Promise((resolve, reject) => {
    const options = { info: true, maxOutputLength: Math.max(1, most) } as object;
    gunzipCallback(bytes, options, (error, result) => {
      const code = (error as NodeJS.ErrnoException | null)?.code;
      if (code === "ERR_BUFFER_TOO_LARGE") return reject(tooLarge(most));
      if (error)
        return reject(new ImageError(`a damaged or truncated gzip file (${error.message}): make or fetch it again`));
      const { buffer, engine } = result as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
      resolve({ content: buffer, used: engine.bytesWritten });
    });
  });
}

function run(packing: Exclude<Packing, "gzip">, bytes: Uint8Array, most: number): Promise<Uint8Array> {
  const { command, package: name } = PROGRAMS[packing];
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "ignore"] });
    const parts: Buffer[] = [];
    let length = 0;
    child.on("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "ENOENT" ? `this machine has no ${program}: install ${name}` : cause.message;
      reject(new ImageError(`packed with ${packing}, and ${why}`));
    });
    child.stdout.on("data", (part: Buffer) => {
      length += part.length;
      if (length > most) {
        child.kill("SIGKILL");
        reject(tooLarge(most));
      } else parts.push(part);
    });
    // It may end before it has read everything.
    child.stdin.on("error", () => {});
    child.stdin.end(bytes);
    child.on("close", (status) => {
      // What stands behind the stream makes programs complain, after all of it came out.
      if (status === 0 || length > 0) resolve(Buffer.concat(parts));
      else
        reject(new ImageError(`damaged or truncated (${program} ended with status ${status}): make or fetch it again`));
    });
  });
}

export const unpack: Unpack = async (packing, bytes, most) =>
  packing === "gzip" ? gunzip(bytes, most) : { content: await run(packing, bytes, most) };
