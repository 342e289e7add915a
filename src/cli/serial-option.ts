// --serial NAME[,socket=PATH|,file=PATH]. A path may hold commas: it is the last of the settings.
import { OptionError } from "../errors.ts";

/** Where the bytes of the second serial port go: a Unix socket that is made, or a file. */
export interface SerialArgument {
  name: string;
  socket?: string;
  file?: string;
}

export function parseSerial(text: string): SerialArgument {
  const [, name, setting, path] = /^([^,]*)(?:,([^=]*)(?:=(.*))?)?$/s.exec(text) as RegExpExecArray;
  if (name === "")
    throw new OptionError(`serial "${text}" has no name: write NAME, NAME,socket=PATH or NAME,file=PATH`);
  if (setting === undefined) return { name, socket: `${name}.sock` };
  if ((setting !== "socket" && setting !== "file") || !path) {
    throw new OptionError(
      `serial setting "${text.slice(name.length + 1)}" is not known: write socket=PATH or file=PATH`,
    );
  }
  return { name, [setting]: path };
}
