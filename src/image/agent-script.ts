// /init of our guests, and the guest's half of the exec protocol (the host's half and the
// protocol itself: src/guest/agent.ts). A script for busybox's shell, because an initrd
// is promised to hold /bin/sh and /bin/busybox and nothing else.
//
// It mounts what is missing, loads modules for the hardware that is there, gives network devices
// their addresses, mounts the tools disk, and then serves commands if the host has a port for them, else gives a
// shell on the console. It reads nothing from the kernel's command line.
//
// In the template below a backslash and "${" are escaped for TypeScript's sake.

import { AgentPort, endMark, PROTOCOL_VERSION, startMark } from "../guest/agent-protocol.ts";
import { AGENT_PORT } from "../guest/qemu-agent/port-name.ts";
import { networkFunctions } from "./network-script.ts";
import { setupFunctions } from "./setup-functions.ts";

/** Label of the disk with programs, see src/platform/node/debian/tools-disk.ts. */
export const TOOLS_LABEL = "paravane-tools";

/** A file that an overlay leaves for the script: the host has a control port, so wait for it. */
export const EXEC_MARKER = ".paravane-exec";

/** The mark as the shell's printf writes it, for the token in $token. */
function shellMark(mark: (token: string) => string): string {
  return mark("%s").replace("\0", "\\000");
}

export const agentScript = `#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
umask 022
run=/run/paravane

${setupFunctions}
${networkFunctions}
link_all() {
  bb ln -s "$1"/* "$2/" 2>/dev/null
}

# The tools disk is known by the label in its EROFS superblock (offset 1024 + 64).
mount_tools() {
  for disk in /sys/class/block/*; do
    node=/dev/\${disk##*/}
    [ -b "$node" ] || continue
    [ "$(bb dd if="$node" bs=16 skip=68 count=1 2>/dev/null)" = ${TOOLS_LABEL} ] || continue
    modprobe -qa crc32c_generic erofs 2>/dev/null
    bb mkdir -p /tools /usr/lib /usr/sbin
    bb mount -t erofs -o ro "$node" /tools || return
    link_all /tools/usr/bin /usr/bin
    link_all /tools/usr/sbin /usr/sbin
    link_all /tools/usr/lib /usr/lib
    [ /lib -ef /usr/lib ] || { bb mkdir -p /lib; link_all /tools/usr/lib /lib; }
    for libraries in /tools/usr/lib/*-linux-gnu; do
      own=/usr/lib/\${libraries##*/}
      [ "$own" -ef "$libraries" ] || link_all "$libraries" "$own"
    done
    return
  done
}

# find_port NAME: sets $port
find_port() {
  for found in /sys/class/virtio-ports/*; do
    [ -r "$found/name" ] || continue
    read -r name <"$found/name"
    port=/dev/\${found##*/}
    [ "$name" = "$1" ] && [ -c "$port" ] && return 0
  done
  return 1
}

find_control() {
  tries=0
  [ -e /${EXEC_MARKER} ] && tries=100
  until find_port ${AgentPort.CONTROL}; do
    if [ $tries = 0 ]; then
      [ -e /${EXEC_MARKER} ] && echo "paravane: no port ${AgentPort.CONTROL} within 10 s: commands cannot be served" >&2
      return 1
    fi
    bb sleep 0.1
    tries=$((tries - 1))
  done
}

# pump PORT_FD FLAG, with the fifo on 8: copies until the last writer is gone. On SIGTERM
# (the command has ended, something it left behind still writes) the rest goes nowhere.
pump() {
  trap 'kill $copy 2>/dev/null' TERM
  /bin/busybox cat <&8 >&$1 &
  copy=$!
  wait $copy
  status=$?
  bb rm -f "$2"
  [ $status = 0 ] || exec /bin/busybox cat <&8 >/dev/null
}

# release PUMP_PID FLAG: until that pump writes to its port no more
release() {
  [ -e "$2" ] && kill "$1" 2>/dev/null
  while [ -e "$2" ]; do bb sleep 0.01; done
}

# execute ID TOKEN COMMAND_BYTES STDIN_BYTES
execute() {
  id=$1 token=$2 text=$run/command.$1 input=/dev/null
  if [ "$3" = 0 ]; then
    command=
  elif [ "$3" -le 100000 ]; then
    command=$(bb dd bs="$3" count=1 iflag=fullblock <&3 2>/dev/null; echo .)
    command=\${command%.}
  else
    # Linux ends one argument at 128 KiB.
    bb dd bs="$3" count=1 iflag=fullblock <&3 >"$text" 2>/dev/null
    command=". $text"
  fi
  if [ "$4" != - ]; then
    input=$run/stdin.$id
    bb head -c "$4" <&9 >"$input"
  fi

  release "$stdout_pump" $run/stdout.busy
  release "$stderr_pump" $run/stderr.busy
  printf '${shellMark(startMark)}' "$token" >&4
  printf '${shellMark(startMark)}' "$token" >&5
  bb mkfifo $run/stdout.$id $run/stderr.$id
  : >$run/stdout.busy >$run/stderr.busy
  # Held open, so that a pump outlives whatever the command closes; opened apart from the
  # command's own, so that nothing the command does to its file descriptors matters here. Opened
  # both ways no open waits for the other end, where the end of an earlier pump would interrupt it.
  exec 6<>$run/stdout.$id 7<>$run/stderr.$id
  exec 8<$run/stdout.$id
  (pump 4 $run/stdout.busy) 3<&- 5>&- 6>&- 7>&- 9<&- &
  stdout_pump=$!
  exec 8<$run/stderr.$id
  (pump 5 $run/stderr.busy) 3<&- 4>&- 6>&- 7>&- 9<&- &
  stderr_pump=$!
  exec 8<&-
  # This shell says "Killed" to its own standard error: so the command's is opened in a
  # process apart, and this shell's leads nowhere meanwhile.
  {
    (exec /bin/busybox setsid /bin/sh -c "$command" <"$input" >$run/stdout.$id 2>$run/stderr.$id 3<&- 4>&- 5>&- 6>&- 7>&- 9<&-)
    status=$?
  } 2>/dev/null
  # A pipe keeps order: the marks come out behind everything the command wrote.
  printf '${shellMark(endMark)}' "$token" >&6
  printf '${shellMark(endMark)}' "$token" >&7
  exec 6>&- 7>&-
  bb rm -f $run/stdout.$id $run/stderr.$id $run/stdin.$id "$text"
  echo "exit $id $status" >&3
}

serve() {
  bb mkdir -p $run
  control=$port
  find_port ${AgentPort.STDIN} && exec 9<"$port"
  find_port ${AgentPort.STDOUT} && exec 4>"$port" || return
  find_port ${AgentPort.STDERR} && exec 5>"$port" || return
  exec 3<>"$control"
  echo "ready ${PROTOCOL_VERSION}" >&3
  while :; do
    # Nothing to read means that the host has closed the port.
    read -r request arguments <&3 || { bb sleep 0.2; continue; }
    case $request in
      exec) execute $arguments ;;
      poweroff) bb sync; bb poweroff -f ;;
      reboot) bb sync; bb reboot -f ;;
      *) echo "refused $request" >&3 ;;
    esac
  done
}

mount_missing
load_modules
bb ifconfig lo up 2>/dev/null
bb hostname paravane
bring_up_networks
mount_tools
cd /root
if find_port ${AGENT_PORT} && [ -x /usr/bin/qemu-ga -o -x /usr/sbin/qemu-ga ]; then
  bb mkdir -p /var/run
  qemu-ga -d -m virtio-serial -p "$port" -t /var/run -f /var/run/qemu-ga.pid </dev/null >/dev/null 2>&1
fi
find_control && serve
bb setsid /bin/busybox cttyhack /bin/sh
bb sync
bb poweroff -f
`;
