// What host and guest say to each other to run commands, over virtio-console ports
// (Virtio 1.2, 5.3). The guest's half is the script in src/image/agent-script.ts.
//
// paravane.control, lines of ASCII ended by LF. Host to guest:
//   exec ID TOKEN COMMAND_BYTES STDIN_BYTES   then the bytes of the command, on this port,
//                                             and those of its standard input on
//                                             paravane.stdin; STDIN_BYTES `-` is /dev/null
//   poweroff | reboot
// Guest to host:
//   ready VERSION                             once, when the guest can take a request
//   exit ID STATUS                            0 to 255, as the shell says it (128 + signal)
//   refused WORD                              an unknown request
//
// The next request waits for `exit`. paravane.stdout and paravane.stderr carry the bytes
// of the command alone, between a start and an end mark with the request's token: ports
// keep no order among each other, so `exit` may overtake output. The end marks go through
// the same pipes as the output, hence come last; what a process left behind by the command
// writes later lies outside the marks and is dropped.

export const PROTOCOL_VERSION = 1;

/** Names of the ports. */
export const AgentPort = {
  CONTROL: "paravane.control",
  STDIN: "paravane.stdin",
  STDOUT: "paravane.stdout",
  STDERR: "paravane.stderr",
} as const;
export type AgentPort = (typeof AgentPort)[keyof typeof AgentPort];

/** Every port, in the order in which a machine numbers them. */
export const agentPorts: readonly AgentPort[] = Object.values(AgentPort);

export function startMark(token: string): string {
  return `\0${token}+`;
}

export function endMark(token: string): string {
  return `\0${token}-`;
}
