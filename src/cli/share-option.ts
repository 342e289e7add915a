// --share DIR:TAG[,ro]. The folder's name may hold colons and commas: the tag comes behind the
// last colon, and has none.
import { OptionError } from "../errors.ts";

export interface ShareArgument {
  path: string;
  tag: string;
  readOnly: boolean;
}

export function parseShare(text: string): ShareArgument {
  const readOnly = text.endsWith(",ro");
  const named = readOnly ? text.slice(0, -3) : text;
  const at = named.lastIndexOf(":");
  const [path, tag] = [named.slice(0, Math.max(at, 0)), named.slice(at + 1)];
  if (path === "" || tag === "") throw new OptionError(`share "${text}": write DIR:TAG, or DIR:TAG,ro`);
  if (tag.includes(",")) {
    throw new OptionError(`share setting "${tag.slice(tag.indexOf(",") + 1)}" is not known: write ro`);
  }
  return { path, tag, readOnly };
}
