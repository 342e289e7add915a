// Console rows on Debian: text written to a terminal (tty layer and driver), and messages of
// the kernel's own (printk and the driver's polling console half).
import type { OutputPort } from "../../guest/options.ts";
import type { Amounts } from "../amounts.ts";
import type { Amount, Finding } from "../work.ts";
import type { DebianBoot } from "./boot.ts";
import type { DebianAbsence, DebianTask } from "./task.ts";

const KIB = 1024;
const LINE_FEED = 0x0a;

/** 63 characters and a line feed. */
const TEXT = "The quick brown fox jumps over the lazy dog, and once more: 0123";
const TEXT_LINE = TEXT.slice(0, 63);
/** What /dev/kmsg takes in a write: level 3, which a quiet kernel still prints. */
const MESSAGE = `<3>${TEXT.slice(0, 60)}`;
const MESSAGE_BYTES = MESSAGE.length + 1;

/** Runs on after the window by this much, so that its end is no flush at a close. */
const TAIL = 1.1;

function bytesOf(text: string, bytes: number, file: string): string {
  return `yes '${text}' | head -c ${Math.ceil(bytes)} >${file}`;
}

async function terminal(boot: DebianBoot, port: OutputPort, tty: string, { warm, measured }: Amount): Promise<Finding> {
  const total = (warm + measured) * KIB * TAIL;
  const command = `${bytesOf(TEXT_LINE, total, "/tmp/text")} && dd if=/tmp/text of=${tty} bs=4096`;
  const amount = { warm: warm * KIB, measured: measured * KIB };
  const { usage, count, rate } = await boot.tallyOutput(command, port, amount, (bytes) => bytes.length);
  return { value: rate / 1000, operations: count / KIB, usage };
}

async function messages(boot: DebianBoot, port: OutputPort, amount: Amount): Promise<Finding> {
  const total = Math.ceil((amount.warm + amount.measured) * TAIL);
  const text = bytesOf(MESSAGE, total * MESSAGE_BYTES, "/tmp/messages");
  const command = `${text} && dd if=/tmp/messages of=/dev/kmsg bs=${MESSAGE_BYTES}`;
  const { usage, count, rate } = await boot.tallyOutput(command, port, amount, linesIn);
  // The value counts the text that came in, so that it is the same for a driver that adds a carriage return.
  return { value: (rate * MESSAGE_BYTES) / 1000, operations: count, usage };
}

function linesIn(bytes: Uint8Array): number {
  let lines = 0;
  for (const byte of bytes) if (byte === LINE_FEED) lines++;
  return lines;
}

const TERMINAL = "terminal output";

export const absent: DebianAbsence[] = [
  {
    function: "console",
    workload: TERMINAL,
    form: "paravirt",
    device: "SBI DBCN",
    reason: "left out of Debian's kernel but for the early console (paravane guest kernel --config paravirt)",
  },
];

export function tasks(amounts: Amounts): DebianTask[] {
  const writes = { function: "console", workload: TERMINAL, unit: "kB/s", operation: "KiB" } as const;
  const printk = { function: "console", workload: "kernel messages", unit: "kB/s", operation: "message" } as const;
  const uart = { form: "emulated", device: "ns16550a" } as const;
  const virtio = { form: "paravirt", device: "virtio-console" } as const;
  const dbcn = { form: "paravirt", device: "SBI DBCN" } as const;
  return [
    { ...writes, ...uart, boot: "sbi", run: (boot) => terminal(boot, "ns16550a", "/dev/ttyS0", amounts.terminal) },
    { ...writes, ...virtio, boot: "sbi", run: (boot) => terminal(boot, "virtio", "/dev/hvc0", amounts.terminal) },
    { ...printk, ...uart, boot: "sbi", run: (boot) => messages(boot, "ns16550a", amounts.messages) },
    { ...printk, ...virtio, boot: "firmware", run: (boot) => messages(boot, "virtio", amounts.messages) },
    { ...printk, ...dbcn, boot: "sstc", run: (boot) => messages(boot, "sbi", amounts.messages) },
  ];
}
