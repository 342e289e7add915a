// --vsock PATH[,cid=N]. The path may hold commas.
import { OptionError } from "../errors.ts";

export function parseVsock(text: string): { path: string; cid?: number } {
  const [, path, setting] = /^(.*?)(?:,([a-z]+(?:=[^,/]*)?))?$/.exec(text) as RegExpExecArray;
  if (path === "") throw new OptionError("vsock needs a Unix socket: write --vsock PATH or --vsock PATH,cid=N");
  if (setting === undefined) return { path };
  const cid = /^cid=([0-9]{1,10})$/.exec(setting)?.[1];
  if (cid === undefined) throw new OptionError(`vsock setting "${setting}" is not known: write cid=N`);
  return { path, cid: Number(cid) };
}
