// QEMU's guest agent on a port of the virtio console.
import type { ConsolePorts } from "../console-ports.ts";
import { virtioPort } from "../console-ports.ts";
import type { NamedPort } from "../machine.ts";
import type { Platform } from "../platform.ts";
import type { RunLoop } from "../run-loop.ts";
import { AgentConnection } from "./connection.ts";
import { AGENT_PORT } from "./port-name.ts";
import { QemuAgent } from "./qemu-agent.ts";

export interface AgentOnPort {
  connection: AgentConnection;
  agent: QemuAgent;
}

/** undefined where the guest has no port for it. */
export function agentOnPort(
  named: readonly NamedPort[],
  { ports, loop, platform }: { ports: ConsolePorts; loop: RunLoop; platform: Platform },
): AgentOnPort | undefined {
  const found = named.find(({ name }) => name === AGENT_PORT);
  if (found === undefined) return undefined;
  const port = virtioPort(found.index);
  const connection = new AgentConnection({
    write: (bytes) => {
      ports.write(port, bytes);
      loop.wake();
    },
    startTimer: (milliseconds, wake) => platform.startTimer(milliseconds, wake),
    randomNumber: () => {
      const bytes = new Uint8Array(4);
      platform.randomBytes(bytes);
      return new DataView(bytes.buffer).getUint32(0) >>> 1;
    },
  });
  ports.listen(port, (bytes) => connection.receive(bytes));
  const pause = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      platform.startTimer(milliseconds, resolve);
    });
  return { connection, agent: new QemuAgent(connection, pause) };
}
