// /init for a guest whose system is on a disk: mounts the root disk and hands over to the init
// on it, as the initramfs of a distribution does. It reads nothing from the kernel's command
// line: the disk is known by its label.
//
// In the template below a backslash and "${" are escaped for TypeScript's sake.

import { setupFunctions } from "./setup-functions.ts";

/** Label of the root disk, see src/platform/node/debian/root-disk.ts. */
export const ROOT_LABEL = "paravane-root";

export const rootScript = `#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

${setupFunctions}
# The label is in ext4's superblock (offset 1024 + 120).
find_root() {
  for disk in /sys/class/block/*; do
    node=/dev/\${disk##*/}
    [ -b "$node" ] || continue
    [ "$(bb dd if="$node" bs=8 skip=143 count=2 2>/dev/null)" = ${ROOT_LABEL} ] && return 0
  done
  return 1
}

fail() {
  echo "paravane: $1" >&2
  bb poweroff -f
}

mount_missing
load_modules
find_root || fail "no disk has the label ${ROOT_LABEL}: attach the root disk"
modprobe -qa crc32c_generic ext4
bb mount -t ext4 "$node" /mnt || fail "$node cannot be mounted: make the root disk anew"
# /proc is the last to go, as the shell finds its own tools through it.
for place in sys dev proc; do bb mount --move /$place /mnt/$place; done
exec /bin/busybox switch_root /mnt /sbin/init
`;
