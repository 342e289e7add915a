// The archives that go behind an initrd so that the guest takes commands from the host, or
// goes on with the system on its root disk: Linux unpacks archives that follow each other
// into one file system, and what comes later replaces what was there.

import { agentScript, EXEC_MARKER } from "./agent-script.ts";
import { writeCpio } from "./cpio.ts";
import { charDevice, directory, type FileEntry, file, symlink } from "./file-tree.ts";
import { type AddressWay, dhcpScript, networkFile } from "./network-script.ts";
import { rootScript } from "./root-script.ts";

/** /init and the two device files that the kernel and the shell want before /dev is mounted. */
export function agentFiles(): FileEntry[] {
  return [...initFiles(agentScript), dhcpScript()];
}

function initFiles(script: string): FileEntry[] {
  return [
    directory("dev"),
    charDevice("dev/console", 5, 1, 0o600),
    charDevice("dev/null", 1, 3, 0o666),
    // A symbolic link first: the kernel then removes an /init that is there already, instead
    // of writing into it, which would reach whatever file it is a hard link of.
    symlink("init", "bin/busybox"),
    file("init", script, 0o755),
  ];
}

/**
 * A cpio archive to append (see concatenateArchives) to an initrd that holds /bin/sh and
 * /bin/busybox: /init is the agent, and it waits for the host's control port.
 */
export function execOverlay(): Uint8Array {
  return writeCpio([...agentFiles(), file(EXEC_MARKER, "")], { parents: false });
}

/** A cpio archive to append to the others: which addresses the guest's network devices get. */
export function networkOverlay(devices: readonly { mac: readonly number[]; way: AddressWay }[]): Uint8Array {
  return writeCpio([networkFile(devices)], { parents: false });
}

/**
 * A cpio archive to append to an initrd with busybox and modules for disks and ext4: /init
 * starts the system on the root disk.
 */
export function rootOverlay(): Uint8Array {
  return writeCpio(initFiles(rootScript), { parents: false });
}
