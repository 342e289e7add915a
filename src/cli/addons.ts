// paravane addons INITRD|IMAGE --add virtio-net,9p,agent: a new initrd, or a new disk image, with what that one lacks.
import { existsSync, statSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { OptionError } from "../errors.ts";
import { addToImage, addToInitrd } from "../index.ts";
import { isDiskImage } from "../platform/node/compat/image-addons.ts";
import { read } from "../platform/node/options.ts";
import { Ending, Status, say } from "./status.ts";

export interface AddonsArguments {
  add?: string[];
  modules?: string;
  release?: string;
  output?: string;
  inPlace?: boolean;
  quiet?: boolean;
}

/** Where the result goes. @throws Ending if that is where it comes from, unless it is asked for. */
function outputOf(input: string, { output, inPlace }: AddonsArguments): string {
  if (inPlace) {
    if (output === undefined) return input;
    throw new Ending(Status.USAGE, "--in-place and --output exclude each other: give one of them");
  }
  const made = output ?? `${input}.addons`;
  if (resolve(made) !== resolve(input)) return made;
  throw new Ending(Status.USAGE, `--output ${made} is the input itself: name another file, or say --in-place`);
}

/** "module 9p, the agent" */
function listOf(modules: readonly string[], agent: boolean): string {
  return [...modules.map((name) => `module ${name}`), ...(agent ? ["the agent"] : [])].join(", ");
}

export async function addons(input: string, options: AddonsArguments): Promise<void> {
  const { add = [], modules, release, quiet } = options;
  if (add.length === 0) throw new Ending(Status.USAGE, "nothing to add: write --add virtio-net,9p,agent or the like");
  const output = outputOf(input, options);
  if (modules !== undefined && !existsSync(modules))
    throw new OptionError(`--modules ${modules} does not exist: give a folder`);
  const settings = { add, modules, release, onNotice: quiet ? undefined : say };
  let said: string;
  if (statSync(input, { throwIfNoEntry: false })?.isFile() && isDiskImage(input)) {
    const made = await addToImage(input, { ...settings, output });
    const [onDisk, inInitrd] = [listOf(made.added, made.agent), listOf(made.addedToInitrd, false)];
    said = [onDisk, inInitrd && `to its initrd ${inInitrd}`].filter(Boolean).join("; ");
  } else {
    const made = await addToInitrd(await read(input, "initrd"), settings);
    writeFileSync(output, made.initrd);
    said = listOf(made.added, add.includes("agent"));
  }
  if (!quiet) say(said === "" ? "nothing was missing" : `added ${said}`);
  process.stdout.write(`${output}\n`);
}
