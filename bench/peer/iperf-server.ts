// iperf3 on this host's loopback, for guests to send to and to receive from, and what their
// iperf3 says of it.
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";

/** A TCP port of the loopback that nobody has now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

export class IperfServer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** @throws Error if this machine has no iperf3. */
  static async start(): Promise<IperfServer> {
    const port = await freePort();
    const child = spawn("iperf3", ["-s", "-B", "127.0.0.1", "-p", `${port}`, "--forceflush"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    await new Promise<void>((resolve, reject) => {
      let said = "";
      child.stdout.on("data", (bytes) => {
        said = (said + bytes).slice(-200);
        if (said.includes("listening")) resolve();
      });
      child.once("error", (cause) => reject(new Error("iperf3 does not start: install iperf3", { cause })));
      child.once("exit", (status) => reject(new Error(`iperf3 ended with status ${status}: ${said}`)));
    });
    return new IperfServer(port, child);
  }

  close(): void {
    this.#child.kill();
  }
}

/** What one run moved. The receiver's figures are its own, sent to the other side at the end. */
export interface IperfRun {
  sentBytes: number;
  receivedBytes: number;
  /** At the receiver. */
  bitsPerSecond: number;
  /** Segments that the sender sent again. */
  retransmits: number;
}

/** Reads what `iperf3 -J` says of TCP. @throws Error if it says that it failed. */
export function readIperf(json: string): IperfRun {
  const { end, error } = JSON.parse(json) as {
    error?: string;
    end: Record<"sum_sent" | "sum_received", { bytes: number; bits_per_second: number; retransmits?: number }>;
  };
  if (error !== undefined) throw new Error(`iperf3: ${error}`);
  const { sum_sent: sent, sum_received: received } = end;
  return {
    sentBytes: sent.bytes,
    receivedBytes: received.bytes,
    bitsPerSecond: received.bits_per_second,
    retransmits: sent.retransmits ?? 0,
  };
}

/** Datagrams a second that arrived, of what `iperf3 -u -J` says. @throws Error if it says that it failed. */
export function readIperfDatagrams(json: string): number {
  const { end, error } = JSON.parse(json) as {
    error?: string;
    end: { sum: { packets: number; lost_packets: number; seconds: number } };
  };
  if (error !== undefined) throw new Error(`iperf3: ${error}`);
  const { packets, lost_packets: lost, seconds } = end.sum;
  return (packets - lost) / seconds;
}
