// gzip through the platform's own DecompressionStream, which Node and browsers share.
import { BootError } from "../machine/boot-error.ts";

// The ES library does not know it, and the projects of this folder see neither Node's nor the DOM's types.
declare class DecompressionStream {
  constructor(format: "gzip");
  readonly readable: {
    getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }>; cancel(): Promise<void> };
  };
  readonly writable: { getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> } };
}

export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 3 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}

/**
 * The content of gzip file `bytes`.
 * @throws BootError, naming the file `what`, if it is damaged or unpacks to more than `most` bytes.
 */
export async function gunzip(bytes: Uint8Array, what: string, most: number): Promise<Uint8Array> {
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  // Errors of the writing side arrive at the reader too; this only keeps them from being unhandled.
  const written = writer
    .write(bytes)
    .then(() => writer.close())
    .catch(() => {});
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || value === undefined) break;
      length += value.length;
      if (length > most) break;
      parts.push(value);
    }
  } catch (cause) {
    throw new BootError(`${what} is a damaged or truncated gzip file: fetch it again`, { cause });
  }
  if (length > most) {
    await reader.cancel().catch(() => {});
    throw new BootError(`${what} unpacks to more than ${most / 2 ** 20} MiB, which no guest's memory holds`);
  }
  await written;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
