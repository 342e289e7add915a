// Rows of the streams between a program in the guest and one of the host's, as an agent uses them.
import type { Amounts } from "../amounts.ts";
import type { Amount, Finding } from "../work.ts";
import { type DebianBoot, findPort, SERIAL_PORT, STREAM_PORT } from "./boot.ts";
import type { DebianTask } from "./task.ts";

const KIB = 1024;
/** Runs on after the window by this much, so that its end is no flush at a close. */
const TAIL = 1.1;

/** `find` is shell that sets $port. */
async function stream(boot: DebianBoot, name: string, find: string, { warm, measured }: Amount): Promise<Finding> {
  const blocks = Math.ceil(((warm + measured) * TAIL) / 4);
  const command = `${find} && dd if=/dev/zero of=$port bs=4096 count=${blocks}`;
  const amount = { warm: warm * KIB, measured: measured * KIB };
  const { usage, count, rate } = await boot.tallyOutput(command, name, amount, (bytes) => bytes.length);
  return { value: rate / 1000, operations: count / KIB, usage };
}

export function tasks({ stream: amount }: Amounts): DebianTask[] {
  const row = {
    function: "agent",
    workload: "bytes to the host",
    unit: "kB/s",
    operation: "KiB",
    boot: "links",
  } as const;
  const serial = "port=/dev/ttyS1 && stty -F $port raw -echo";
  return [
    {
      ...row,
      form: "emulated",
      device: "second ns16550a",
      run: (boot) => stream(boot, SERIAL_PORT, serial, amount),
    },
    {
      ...row,
      form: "paravirt",
      device: "virtio-serial port",
      run: (boot) => stream(boot, STREAM_PORT, findPort(STREAM_PORT), amount),
    },
  ];
}
