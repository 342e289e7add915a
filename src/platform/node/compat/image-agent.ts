// Puts QEMU's guest agent into a mounted image: Debian's, out of the tools of the guest that has the image mounted.
import type { FileSource } from "../../../compat/file-source.ts";
import { OptionError } from "../../../errors.ts";
import { writeCpio } from "../../../image/cpio.ts";
import { AGENT_FOLDER, AGENT_PROGRAMS, agentService, agentStarter } from "../../../image/guest-agent.ts";
import type { MountedImage } from "./mounted-image.ts";

const ARCHIVE = "/tmp/agent.cpio";
const UNIT_FOLDERS = ["usr/lib/systemd/system", "lib/systemd/system"];
const RULE_FOLDERS = ["usr/lib/udev/rules.d", "lib/udev/rules.d"];

/** The dynamic loader says which libraries it takes (ld.so(8), --list). */
const COLLECT = `set -e
agent=$(command -v qemu-ga)
loader=$(ls /lib/ld-linux-riscv64*.so.1)
mkdir -p /tmp/agent/${AGENT_FOLDER}
cd /tmp/agent/${AGENT_FOLDER}
cp -L "$agent" qemu-ga
cp -L "$loader" loader
"$loader" --list "$agent" >/tmp/libraries
while read -r name arrow path rest; do
  if [ "$arrow" = "=>" ]; then cp -L "$path" "$name"; fi
done </tmp/libraries
[ -e libc.so.6 ]
chmod 755 *
cd /tmp/agent
find ${AGENT_FOLDER} | cpio -o -H newc >${ARCHIVE}`;

async function first(source: FileSource, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await source.has(path)) return path;
  return undefined;
}

/** True if the image had none. `image` is opened with its tools. */
export async function addAgent(image: MountedImage, onNotice?: (line: string) => void): Promise<boolean> {
  if ((await first(image, AGENT_PROGRAMS)) !== undefined) return false;
  const { status, stderr } = await image.exec(COLLECT);
  if (status !== 0) {
    const said = new TextDecoder().decode(stderr).trim().slice(0, 300);
    throw new OptionError(`the agent cannot be taken from the Debian guest (${said}): make that anew with --refresh`);
  }
  await image.unpackFile(ARCHIVE);
  const [units, rules] = [await first(image, UNIT_FOLDERS), await first(image, RULE_FOLDERS)];
  const starts = units !== undefined && rules !== undefined;
  if (!starts) onNotice?.(`${image.name} has no systemd with udev: let its own init run /${AGENT_FOLDER}/start`);
  const service = starts ? agentService(units, rules) : [];
  await image.unpack(writeCpio([agentStarter(), ...service], { parents: false }));
  return true;
}
