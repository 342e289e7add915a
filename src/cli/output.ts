// Our standard output: what the guest says goes there with nothing added. A reader that is
// slower than the guest stops the guest; one that has gone ends the run.
import type { Guest } from "../guest/guest.ts";

/** Writes `bytes` to stdout; while its buffer is full the guest stands still. */
export function writeThrough(guest: Guest, stream: NodeJS.WriteStream, bytes: Uint8Array): void {
  if (stream.write(bytes) || guest.isPaused) return;
  guest.pause();
  stream.once("drain", () => guest.resume());
}

/** Calls `gone` once if the reader of our output goes away. */
export function onBrokenPipe(gone: () => void): void {
  const listen = (stream: NodeJS.WriteStream) =>
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") gone();
      else throw error;
    });
  listen(process.stdout);
  // Without stderr there is nobody to tell.
  process.stderr.on("error", () => {});
}

/** Resolves when everything written so far has left the process. */
export function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) return resolve();
    stream.write("", () => resolve());
  });
}
