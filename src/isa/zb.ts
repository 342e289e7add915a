import { extension } from "./extension.ts";

// Zba, Zbb, Zbs: bit manipulation, Unprivileged Architecture chapter 30.
export const zba = extension(
  "ZBA",
  `
  add.uw     0000100 bbbbb aaaaa 000 ddddd 0111011  |      | rd, rs1, rs2 | alu
  sh1add     0010000 bbbbb aaaaa 010 ddddd 0110011  |      | rd, rs1, rs2 | alu
  sh2add     0010000 bbbbb aaaaa 100 ddddd 0110011  |      | rd, rs1, rs2 | alu
  sh3add     0010000 bbbbb aaaaa 110 ddddd 0110011  |      | rd, rs1, rs2 | alu
  sh1add.uw  0010000 bbbbb aaaaa 010 ddddd 0111011  |      | rd, rs1, rs2 | alu
  sh2add.uw  0010000 bbbbb aaaaa 100 ddddd 0111011  |      | rd, rs1, rs2 | alu
  sh3add.uw  0010000 bbbbb aaaaa 110 ddddd 0111011  |      | rd, rs1, rs2 | alu
  slli.uw    000010 iiiiii aaaaa 001 ddddd 0011011  | u5:0 | rd, rs1, imm | alu
`,
);

export const zbb = extension(
  "ZBB",
  `
  andn       0100000 bbbbb aaaaa 111 ddddd 0110011  |      | rd, rs1, rs2 | alu
  orn        0100000 bbbbb aaaaa 110 ddddd 0110011  |      | rd, rs1, rs2 | alu
  xnor       0100000 bbbbb aaaaa 100 ddddd 0110011  |      | rd, rs1, rs2 | alu
  clz        0110000 00000 aaaaa 001 ddddd 0010011  |      | rd, rs1      | alu
  ctz        0110000 00001 aaaaa 001 ddddd 0010011  |      | rd, rs1      | alu
  cpop       0110000 00010 aaaaa 001 ddddd 0010011  |      | rd, rs1      | alu
  clzw       0110000 00000 aaaaa 001 ddddd 0011011  |      | rd, rs1      | alu
  ctzw       0110000 00001 aaaaa 001 ddddd 0011011  |      | rd, rs1      | alu
  cpopw      0110000 00010 aaaaa 001 ddddd 0011011  |      | rd, rs1      | alu
  max        0000101 bbbbb aaaaa 110 ddddd 0110011  |      | rd, rs1, rs2 | alu
  maxu       0000101 bbbbb aaaaa 111 ddddd 0110011  |      | rd, rs1, rs2 | alu
  min        0000101 bbbbb aaaaa 100 ddddd 0110011  |      | rd, rs1, rs2 | alu
  minu       0000101 bbbbb aaaaa 101 ddddd 0110011  |      | rd, rs1, rs2 | alu
  sext.b     0110000 00100 aaaaa 001 ddddd 0010011  |      | rd, rs1      | alu
  sext.h     0110000 00101 aaaaa 001 ddddd 0010011  |      | rd, rs1      | alu
  zext.h     0000100 00000 aaaaa 100 ddddd 0111011  |      | rd, rs1      | alu
  rol        0110000 bbbbb aaaaa 001 ddddd 0110011  |      | rd, rs1, rs2 | alu
  ror        0110000 bbbbb aaaaa 101 ddddd 0110011  |      | rd, rs1, rs2 | alu
  rori       011000 iiiiii aaaaa 101 ddddd 0010011  | u5:0 | rd, rs1, imm | alu
  rolw       0110000 bbbbb aaaaa 001 ddddd 0111011  |      | rd, rs1, rs2 | alu
  rorw       0110000 bbbbb aaaaa 101 ddddd 0111011  |      | rd, rs1, rs2 | alu
  roriw      0110000 iiiii aaaaa 101 ddddd 0011011  | u4:0 | rd, rs1, imm | alu
  orc.b      001010 000111 aaaaa 101 ddddd 0010011  |      | rd, rs1      | alu
  rev8       011010 111000 aaaaa 101 ddddd 0010011  |      | rd, rs1      | alu
`,
);

export const zbs = extension(
  "ZBS",
  `
  bclr       0100100 bbbbb aaaaa 001 ddddd 0110011  |      | rd, rs1, rs2 | alu
  bclri      010010 iiiiii aaaaa 001 ddddd 0010011  | u5:0 | rd, rs1, imm | alu
  bext       0100100 bbbbb aaaaa 101 ddddd 0110011  |      | rd, rs1, rs2 | alu
  bexti      010010 iiiiii aaaaa 101 ddddd 0010011  | u5:0 | rd, rs1, imm | alu
  binv       0110100 bbbbb aaaaa 001 ddddd 0110011  |      | rd, rs1, rs2 | alu
  binvi      011010 iiiiii aaaaa 001 ddddd 0010011  | u5:0 | rd, rs1, imm | alu
  bset       0010100 bbbbb aaaaa 001 ddddd 0110011  |      | rd, rs1, rs2 | alu
  bseti      001010 iiiiii aaaaa 001 ddddd 0010011  | u5:0 | rd, rs1, imm | alu
`,
);
