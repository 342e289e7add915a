import { extension } from "./extension.ts";

// A: LR/SC and atomic memory operations, Unprivileged Architecture chapter 14.
// The two `.` bits are aq and rl: all our accesses are sequentially consistent.
const amo = (name: string, funct5: string) => `
  ${name}.w  ${funct5} .. bbbbb aaaaa 010 ddddd 0101111 | | rd, rs2, (rs1) | atomic
  ${name}.d  ${funct5} .. bbbbb aaaaa 011 ddddd 0101111 | | rd, rs2, (rs1) | atomic`;

export const a = extension(
  "A",
  `
  lr.w       00010 .. 00000 aaaaa 010 ddddd 0101111 | | rd, (rs1) | atomic
  lr.d       00010 .. 00000 aaaaa 011 ddddd 0101111 | | rd, (rs1) | atomic
  ${amo("sc", "00011")}
  ${amo("amoswap", "00001")}
  ${amo("amoadd", "00000")}
  ${amo("amoxor", "00100")}
  ${amo("amoand", "01100")}
  ${amo("amoor", "01000")}
  ${amo("amomin", "10000")}
  ${amo("amomax", "10100")}
  ${amo("amominu", "11000")}
  ${amo("amomaxu", "11100")}
`,
);
