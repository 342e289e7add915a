// A capture in a file: written at once, so that what was captured is there whatever
// happens to this process.
import { closeSync, openSync, writeSync } from "node:fs";
import type { PcapSink } from "../../backend/pcap.ts";
import { OptionError } from "../../errors.ts";

/** Bytes that are gathered before they are written; a moment after the first of them they are anyway. */
const GATHERED = 256 * 1024;
const MOMENT = 100;

/** @throws OptionError if the file cannot be made. */
export function pcapFile(path: string): PcapSink {
  let file: number;
  try {
    file = openSync(path, "w");
  } catch (cause) {
    const { message } = cause as Error;
    throw new OptionError(`capture ${path} cannot be written (${message}): give another file`, { cause });
  }
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let failure: unknown;
  let closed = false;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (bytes === 0) return;
    const all = Buffer.concat(waiting, bytes);
    waiting = [];
    bytes = 0;
    for (let at = 0; at < all.length; ) at += writeSync(file, all, at);
  };
  return {
    write(record) {
      if (failure !== undefined) throw failure;
      waiting.push(record);
      bytes += record.length;
      if (bytes >= GATHERED) flush();
      else if (timer === undefined) {
        timer = setTimeout(() => {
          try {
            flush();
          } catch (error) {
            failure = error;
          }
        }, MOMENT);
        timer.unref();
      }
    },
    close() {
      if (closed) return;
      closed = true;
      try {
        if (failure === undefined) flush();
      } finally {
        clearTimeout(timer);
        closeSync(file);
      }
    },
  };
}
