// SBI compiled on its own with the hart state it acts on, over a real linear memory. A test
// is the guest: it puts an ecall's registers in place and makes the call.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { Machine as At, Gpa, HartAt, Layout } from "../../assembly/abi/layout.ts";
import { idleHost } from "../../src/engine/idle-host.ts";

export const RAM: number = Gpa.RAM;
export const RAM_BYTES = 4 << 20;
export const HARTS = 4;

const root = fileURLToPath(new URL("../..", import.meta.url));
const OPTIONS =
  "--runtime stub -O3 --noAssert --importMemory --initialMemory 384 --memoryBase 524288 --enable threads".split(" ");

/** Identifies the sources: compiling takes seconds, and each test file needs the same module. */
function fingerprint(): string {
  const hash = createHash("sha256").update(OPTIONS.join(" "));
  const sources = readdirSync(join(root, "assembly"), { recursive: true, encoding: "utf8" }).sort();
  for (const name of sources)
    if (name.endsWith(".ts")) hash.update(name).update(readFileSync(join(root, "assembly", name)));
  return hash
    .update(readFileSync(join(root, "test/sbi/entry.ts")))
    .digest("hex")
    .slice(0, 24);
}

type Export = (...args: (number | bigint | boolean)[]) => number | bigint;

const MASK = (1n << 64n) - 1n;
const A0 = 10;

export interface Answer {
  returned: boolean;
  error: number;
  value: bigint;
}

export class SbiMachine {
  readonly memory = new WebAssembly.Memory({ initial: (Layout.RAM + RAM_BYTES) >> 16 });
  readonly view = new DataView(this.memory.buffer);
  readonly exports: Record<string, Export>;
  /** What the console put out, by port. */
  output: { port: number; text: string }[] = [];
  /** The host's clock. */
  ticks = 1000;
  onHypercall: (call: number, hart: number) => number = () => {
    throw new Error("SBI asked the host for a call");
  };

  private constructor(module: WebAssembly.Module) {
    const never = () => {
      throw new Error("SBI asked for a disk or for entropy");
    };
    const host = {
      ...Object.fromEntries(Object.keys(idleHost).map((name) => [name, never])),
      now: () => this.ticks,
      hypercall: (call: number, hart: number) => this.onHypercall(call, hart),
      consoleOut: (port: number, at: number, length: number) => {
        this.output.push({ port, text: new TextDecoder().decode(new Uint8Array(this.memory.buffer, at, length)) });
      },
    };
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory }, host });
    this.exports = instance.exports as unknown as Record<string, Export>;
    this.view.setUint32(At.RAM_SIZE, RAM_BYTES >> 12, true);
    this.view.setUint32(At.HART_COUNT, HARTS, true);
    this.view.setBigUint64(At.CPU_EXTENSIONS, MASK, true);
    this.powerOn();
  }

  static async compile(): Promise<() => SbiMachine> {
    const out = join(tmpdir(), `paravane-sbi-${fingerprint()}.wasm`);
    if (!existsSync(out)) {
      const fresh = `${out}.${process.pid}`;
      const { error, stderr } = await asc.main(["test/sbi/entry.ts", "-o", fresh, "--baseDir", root, ...OPTIONS]);
      if (error) throw new Error(`assembly/sbi does not compile: ${stderr}`, { cause: error });
      renameSync(fresh, out);
    }
    const module = new WebAssembly.Module(readFileSync(out));
    return () => new SbiMachine(module);
  }

  powerOn(): void {
    this.exports.powerOn();
  }

  register(n: number): bigint {
    return this.view.getBigUint64(HartAt.X + 8 * n, true);
  }

  setRegister(n: number, value: bigint): void {
    this.view.setBigUint64(HartAt.X + 8 * n, value & MASK, true);
  }

  pc(): bigint {
    return this.view.getBigUint64(HartAt.PC, true);
  }

  setPc(address: number): void {
    this.view.setBigUint64(HartAt.PC, BigInt(address), true);
  }

  /** The running hart's ecall. Numbers below 0 are their 64-bit two's complement. */
  call(eid: number | bigint, fid: number | bigint, ...args: (number | bigint)[]): Answer {
    for (let n = 0; n < 6; n++) this.setRegister(A0 + n, BigInt(args[n] ?? 0));
    this.setRegister(A0 + 6, BigInt(fid));
    this.setRegister(A0 + 7, BigInt(eid));
    const returned = this.exports.sbiCall(this.view.getUint32(At.CURRENT_HART, true)) !== 0;
    return { returned, error: Number(BigInt.asIntN(64, this.register(A0))), value: this.register(A0 + 1) };
  }

  /** Offset of guest physical address `gpa` in the view. */
  at(gpa: number): number {
    return Layout.RAM + gpa - RAM;
  }
}
