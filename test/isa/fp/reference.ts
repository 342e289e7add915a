// Builds reference.c for riscv64 and runs it under QEMU's user mode.
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { referenceCases } from "./operations.ts";

const EMULATOR = "qemu-riscv64";
const COMPILER = "riscv64-linux-gnu-gcc";

/** Why the reference cannot run here, or undefined when it can. */
export function missingReference(): string | undefined {
  for (const [tool, source] of [
    [EMULATOR, "qemu-user"],
    [COMPILER, "gcc-riscv64-linux-gnu and libc6-dev-riscv64-cross"],
  ]) {
    if (spawnSync(tool, ["--version"]).error) return `${tool} is not installed: install ${source}`;
  }
  return undefined;
}

export class Reference {
  private readonly folder = mkdtempSync(join(tmpdir(), "paravane-fp-"));
  private readonly program = join(this.folder, "reference");

  constructor() {
    writeFileSync(join(this.folder, "cases.h"), referenceCases());
    const source = fileURLToPath(new URL("reference.c", import.meta.url));
    execFileSync(COMPILER, ["-static", "-O2", "-march=rv64gc", "-I", this.folder, "-o", this.program, source]);
  }

  /** Two u64 a record: result, accrued flags. */
  run(records: Uint32Array): BigUint64Array {
    const from = join(this.folder, "in");
    const to = join(this.folder, "out");
    writeFileSync(from, new Uint8Array(records.buffer, records.byteOffset, records.byteLength));
    const input = openSync(from, "r");
    const output = openSync(to, "w");
    try {
      const ended = spawnSync(EMULATOR, [this.program], { stdio: [input, output, "pipe"], timeout: 300_000 });
      if (ended.status !== 0) {
        throw new Error(`${EMULATOR} ended with ${ended.signal ?? ended.status}: ${ended.stderr}`, {
          cause: ended.error,
        });
      }
    } finally {
      closeSync(input);
      closeSync(output);
    }
    const bytes = readFileSync(to);
    return new BigUint64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
