// Zkr from user mode: a program in Debian's guest reads the seed CSR, which its kernel has no use for.
import { describe, expect, it } from "vitest";
import { Assembler } from "../../isa/generator/assembler.ts";
import { CODE_AT, staticProgram } from "../elf-files.ts";
import { debian, sh } from "./debian.ts";

const SEED = 0x15;
const READS = 256;

function program(write: (asm: Assembler) => void): string {
  const asm = new Assembler(4096, CODE_AT);
  write(asm);
  return Buffer.from(staticProgram(asm.finish())).toString("base64");
}

/** Runs a program in the guest; the shell's status of it, 132 after SIGILL. */
async function run(code: string): Promise<{ status: number; stdout: Uint8Array }> {
  const { guest } = await debian();
  await sh(`echo ${code} | base64 -d > /tmp/seed && chmod +x /tmp/seed`);
  const { status, stdout } = await guest.exec("/tmp/seed; s=$?; rm /tmp/seed; exit $s", { timeout: 60_000 });
  return { status, stdout };
}

function systemCall(asm: Assembler, number: number): void {
  asm.li(17, number);
  asm.op("ecall");
}

describe("the seed CSR", () => {
  it("gives a program sixteen bits a read, without an exit", async () => {
    const code = program((asm) => {
      asm.i("addi", 2, 2, (-4 * READS) / 2);
      asm.i("addi", 2, 2, (-4 * READS) / 2);
      asm.i("addi", 5, 2, 0);
      asm.li(6, READS);
      asm.label("loop");
      asm.op("csrrw", { rd: 7, rs1: 0, imm: SEED });
      asm.store("sw", 7, 0, 5);
      asm.i("addi", 5, 5, 4);
      asm.i("addi", 6, 6, -1);
      asm.to("bne", "loop", { rs1: 6, rs2: 0 });
      asm.li(10, 1);
      asm.i("addi", 11, 2, 0);
      asm.li(12, 4 * READS);
      systemCall(asm, 64); // write
      asm.li(10, 0);
      systemCall(asm, 93); // exit
    });
    const { status, stdout } = await run(code);
    expect([status, stdout.length]).toEqual([0, 4 * READS]);
    const view = new DataView(stdout.buffer, stdout.byteOffset);
    const words = Array.from({ length: READS }, (_, n) => view.getUint32(4 * n, true));
    expect(words.map((word) => word >>> 16)).toEqual(words.map(() => 0x8000)); // ES16
    // Of 256 draws from 65,536 values some hundredth of one repeats; half of them would be a broken source.
    expect(new Set(words).size).toBeGreaterThan(READS / 2);
    expect(await sh("grep -m1 -o '_zkr_' /proc/cpuinfo")).toBe("_zkr_\n");
  });

  it("kills a program that only reads it", async () => {
    expect((await run(program((asm) => asm.csrr(7, SEED)))).status).toBe(132);
  });
});
