// What every /init of ours begins with, as functions of busybox's shell: mount_missing, and
// load_modules for the hardware that is there. Each backslash and "${" is escaped for
// TypeScript's sake.

export const setupFunctions = `# Debian's busybox runs its own tools inside the shell, which saves the guest an exec each.
if type mkdir >/dev/null 2>&1; then
  bb() { "$@"; }
else
  bb() { /bin/busybox "$@"; }
fi

mounted() {
  while read -r _ at _; do [ "$at" = "$1" ] && return 0; done </proc/mounts
  return 1
}

mount_missing() {
  bb mkdir -p /proc /sys /dev /run /root /etc /bin /sbin /usr/bin /usr/sbin
  # By its path: the shell finds its own tools through /proc.
  [ -r /proc/mounts ] || /bin/busybox mount -t proc proc /proc
  mounted /sys || bb mount -t sysfs sysfs /sys
  mounted /dev || bb mount -t devtmpfs devtmpfs /dev
  # Without a console that can be read the kernel leaves 0, 1 and 2 closed.
  [ -L /proc/self/fd/2 ] || exec 0<>/dev/null 1>&0 2>&0
  bb mkdir -p /dev/pts /dev/shm
  mounted /dev/pts || bb mount -t devpts devpts /dev/pts
  mounted /dev/shm || bb mount -t tmpfs tmpfs /dev/shm
  [ -d /tmp ] || bb mkdir -m 1777 /tmp
  [ -e /dev/fd ] || bb ln -s /proc/self/fd /dev/fd
  [ -e /dev/stdin ] || bb ln -s /proc/self/fd/0 /dev/stdin
  [ -e /dev/stdout ] || bb ln -s /proc/self/fd/1 /dev/stdout
  [ -e /dev/stderr ] || bb ln -s /proc/self/fd/2 /dev/stderr
  [ -e /bin/mount ] || bb --install -s 2>/dev/null
}

# A driver brings new devices (virtio-mmio its virtio devices): go on while some appear.
load_modules() {
  read -r release </proc/sys/kernel/osrelease
  [ -d "/lib/modules/$release" ] || return
  known=
  for pass in 1 2 3; do
    present=$(cat /sys/bus/*/devices/*/modalias 2>/dev/null | sort -u)
    [ "$present" = "$known" ] && break
    known=$present
    echo "$present" | xargs modprobe -qab 2>/dev/null
  done
  set -- /sys/class/scsi_host/*
  [ -e "$1" ] && modprobe -q sd_mod 2>/dev/null
  # NVMe controllers find their namespaces on a thread of their own.
  tries=50
  while nvme_pending && [ $tries -gt 0 ]; do
    bb sleep 0.1
    tries=$((tries - 1))
  done
}

nvme_pending() {
  for controller in /sys/bus/pci/drivers/nvme/*:*; do
    [ -e "$controller" ] || continue
    set -- "$controller"/nvme/nvme*/nvme*n*
    [ -e "$1" ] || return 0
  done
  return 1
}
`;
