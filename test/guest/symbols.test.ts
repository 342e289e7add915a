// A bare-metal ELF program that crashes is reported by the name of its function.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readSymbols } from "../../src/image/elf-symbols.ts";
import { createGuest } from "../../src/index.ts";

const SOURCE = `
  .globl _start
_start: j culprit
  nop
  .type culprit, @function
culprit: addi a0, a0, 1
  .4byte 0xffffffff
`;

function assemble(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "paravane-symbols-"));
  try {
    writeFileSync(join(folder, "crash.S"), SOURCE);
    const options = ["-march=rv64i", "-mabi=lp64", "-nostdlib", "-Wl,-Ttext=0x80200000", "-Wl,--build-id=none"];
    execFileSync("riscv64-unknown-elf-gcc", [...options, "crash.S", "-o", "crash.elf"], { cwd: folder });
    return new Uint8Array(readFileSync(join(folder, "crash.elf")));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it("names the function that crashed", async () => {
  const program = assemble();
  expect(readSymbols(program)?.names).toContain("culprit");
  // Cut anywhere, the file has fewer names or none; it never makes the reader fail.
  for (let length = 0; length < program.length; length += 7) readSymbols(program.subarray(0, length));

  const guest = await createGuest({ kernel: program, memory: "16M" });
  const error = await guest.wait().catch((it) => it);
  expect(error.message).toMatch(/pc 0x[0-9a-f]+ in culprit\+0x4 \(unimp/);
});
