// paravane addons INITRD --add virtio-net,9p,agent: a new initrd with what that one lacks.
import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { OptionError } from "../errors.ts";
import { addToInitrd } from "../index.ts";
import { read } from "../platform/node/options.ts";
import { Ending, Status, say } from "./status.ts";

export interface AddonsArguments {
  add?: string[];
  modules?: string;
  output?: string;
  quiet?: boolean;
}

export async function addons(initrd: string, options: AddonsArguments): Promise<void> {
  const { add = [], modules, output = `${initrd}.addons`, quiet } = options;
  if (add.length === 0) throw new Ending(Status.USAGE, "nothing to add: write --add virtio-net,9p,agent or the like");
  if (resolve(output) === resolve(initrd)) {
    throw new Ending(Status.USAGE, `--output ${output} is the initrd itself: name another file`);
  }
  if (modules !== undefined && !existsSync(modules))
    throw new OptionError(`--modules ${modules} does not exist: give a folder`);
  const onNotice = quiet ? undefined : say;
  const made = await addToInitrd(await read(initrd, "initrd"), { add, modules, onNotice });
  writeFileSync(output, made.initrd);
  const what = [...made.added.map((name) => `module ${name}`), ...(add.includes("agent") ? ["the agent"] : [])];
  if (!quiet) say(what.length > 0 ? `added ${what.join(", ")}` : "nothing was missing");
  process.stdout.write(`${output}\n`);
}
