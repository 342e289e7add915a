// QEMU's guest agent in a disk image: Debian's, in a folder of its own with the loader and the libraries that it was
// built with, so that it runs on any system for riscv64 and meets none of the system's own files; and what
// starts it where the system has systemd and udev.
import { AGENT_PORT } from "../guest/qemu-agent/port-name.ts";
import { type FileEntry, file } from "./file-tree.ts";

/** Holds `loader`, `qemu-ga` and its libraries; `start` is added. */
export const AGENT_FOLDER = "usr/lib/paravane-agent";

/** Where the agent is if a system has it: distributions' places, and ours. */
export const AGENT_PROGRAMS = ["usr/sbin/qemu-ga", "usr/bin/qemu-ga", `${AGENT_FOLDER}/qemu-ga`];

/** The port's device file is found by the name in sysfs, which is there without udev too. */
const START = `#!/bin/sh
# Runs QEMU's guest agent on the port that the host has for it.
folder=/${AGENT_FOLDER}
for port in /sys/class/virtio-ports/*; do
  [ -r "$port/name" ] || continue
  read -r name <"$port/name"
  [ "$name" = ${AGENT_PORT} ] || continue
  exec "$folder/loader" --library-path "$folder" "$folder/qemu-ga" \\
    -m virtio-serial -p "/dev/\${port##*/}" -t /run -f /run/qemu-ga.pid "$@"
done
echo "the host has no port ${AGENT_PORT}" >&2
exit 1
`;

const UNIT = `[Unit]
Description=QEMU guest agent, for the hypervisor

[Service]
ExecStart=/${AGENT_FOLDER}/start
Restart=on-failure
RestartSec=1
`;

/** The port wants its service as soon as it is there (systemd.device(5)). */
const RULE = `ACTION!="remove", SUBSYSTEM=="virtio-ports", ATTR{name}=="${AGENT_PORT}", TAG+="systemd", ENV{SYSTEMD_WANTS}+="paravane-agent.service"
`;

/** What starts the agent. */
export function agentStarter(): FileEntry {
  return file(`${AGENT_FOLDER}/start`, START, 0o755);
}

/** What makes systemd run that: a unit and a rule of udev's for the folders that the system has them in. */
export function agentService(units: string, rules: string): FileEntry[] {
  return [file(`${units}/paravane-agent.service`, UNIT), file(`${rules}/60-paravane-agent.rules`, RULE)];
}
