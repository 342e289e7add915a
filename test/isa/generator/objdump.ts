// GNU binutils as a second opinion on what instruction words mean: assembles words as raw
// instructions for exactly our extensions and brings objdump's text into our disassembler's form.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AS, OBJDUMP } from "./requirements.ts";

const ARCH = "rv64gc_zba_zbb_zbs_zicbom_zicboz_svinval";

/** Address of each word, and objdump's reading of it; undefined where it sees no instruction. */
export function objdump(words: readonly number[]): { address: number; text: string | undefined }[] {
  const folder = mkdtempSync(join(tmpdir(), "paravane-objdump-"));
  try {
    const source = join(folder, "words.s");
    const object = join(folder, "words.o");
    const lines = words.map((w) => `.insn ${(w & 3) === 3 ? 4 : 2}, 0x${w.toString(16)}`);
    writeFileSync(source, `.attribute arch, "${ARCH}"\n.text\n${lines.join("\n")}\n`);
    execFileSync(AS, [source, "-o", object]);
    const options = { encoding: "utf8", maxBuffer: 1 << 28 } as const;
    const output = execFileSync(OBJDUMP, ["-d", "-z", "-M", "no-aliases", object], options);
    const found = [...output.matchAll(/^ *([0-9a-f]+):\t([0-9a-f]+) *\t(.*)$/gm)].slice(0, words.length);
    return found.map(([, address, word, text], i) => {
      if (Number.parseInt(word, 16) !== words[i]) throw new Error(`objdump lost step at word ${i}: ${word}`);
      return { address: Number.parseInt(address, 16), text: normalize(text) };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const JUMPS = new Set(["jal", "beq", "bne", "blt", "bge", "bltu", "bgeu"]);

/** objdump's line without comments, suffixes of ordering and compressed names; numbers in decimal. */
function normalize(line: string): string | undefined {
  const [first, rest = ""] = line.replace(/\s*[#<].*$/, "").split("\t");
  let name = first.trim();
  if (name.startsWith(".") || name.endsWith("unimp")) return undefined;
  if (/^h(inval|fence|lv|lvx|sv)\./.test(name)) return undefined; // of the hypervisor extension
  if (/^(uret|hret|sfence\.vm)$/.test(name)) return undefined; // of drafts, gone before ratification
  if (/^fence(\.tso)?$/.test(name)) return "fence";
  if (name === "fence.i") return name;
  if (/^(lr|sc|amo)/.test(name)) name = name.replace(/\.(aq|rl|aqrl)$/, "");
  let operands = rest.trim();
  if (name.startsWith("c.")) [name, operands] = expand(name.slice(2), operands);
  if (JUMPS.has(name)) operands = operands.replace(/([0-9a-f]+)$/, "0x$1");
  return canonical(`${name} ${operands}`);
}

/** What a compressed instruction abbreviates (Unprivileged Architecture 27), from its assembly text. */
function expand(name: string, operands: string): [string, string] {
  const [a, b] = operands.split(",");
  switch (name) {
    case "nop":
      return ["addi", "zero,zero,0"];
    case "addi4spn":
      return ["addi", operands];
    case "addi":
    case "addiw":
    case "andi":
    case "slli":
    case "srli":
    case "srai":
    case "add":
    case "sub":
    case "xor":
    case "or":
    case "and":
    case "addw":
    case "subw":
      return [name, `${a},${a},${b}`];
    case "addi16sp":
      return ["addi", `${a},${a},${b}`];
    case "slli64":
    case "srli64":
    case "srai64":
      return [name.slice(0, 4), `${a},${a},0`];
    case "li":
      return ["addi", `${a},zero,${b}`];
    case "mv":
      return ["add", `${a},zero,${b}`];
    case "j":
      return ["jal", `zero,${a}`];
    case "jr":
      return ["jalr", `zero,0(${a})`];
    case "jalr":
      return ["jalr", `ra,0(${a})`];
    case "beqz":
    case "bnez":
      return [name.slice(0, 3), `${a},zero,${b}`];
    case "lui":
    case "ebreak":
      return [name, operands];
  }
  if (/^f?[ls][wd](sp)?$/.test(name)) return [name.replace(/sp$/, ""), operands];
  throw new Error(`objdump knows a compressed instruction that this test does not: c.${name} ${operands}`);
}

/** Spaces after commas alone, numbers in decimal. */
export function canonical(text: string): string {
  return text
    .trim()
    .replace(/\s*,\s*/g, ", ")
    .replace(/(?<![\w.])(-?)(0x[0-9a-f]+|\d+)(?![\w.])/g, (_, sign, digits) => `${sign}${BigInt(digits)}`);
}
