import { extension } from "./extension.ts";

// CSR access, fences, cache-block operations and the privileged instructions.
export const zicsr = extension(
  "ZICSR",
  `
  csrrw     iiiiiiiiiiii aaaaa 001 ddddd 1110011  | u11:0 | rd, csr, rs1  | system
  csrrs     iiiiiiiiiiii aaaaa 010 ddddd 1110011  | u11:0 | rd, csr, rs1  | system
  csrrc     iiiiiiiiiiii aaaaa 011 ddddd 1110011  | u11:0 | rd, csr, rs1  | system
  csrrwi    iiiiiiiiiiii uuuuu 101 ddddd 1110011  | u11:0 | rd, csr, uimm | system
  csrrsi    iiiiiiiiiiii uuuuu 110 ddddd 1110011  | u11:0 | rd, csr, uimm | system
  csrrci    iiiiiiiiiiii uuuuu 111 ddddd 1110011  | u11:0 | rd, csr, uimm | system
`,
);

export const zifencei = extension(
  "ZIFENCEI",
  `
  fence.i   iiiiiiiiiiii aaaaa 001 ddddd 0001111  | u11:0 |              | system
`,
);

export const zicbom = extension(
  "ZICBOM",
  `
  cbo.inval 000000000000 aaaaa 010 00000 0001111  |       | (rs1)        | system
  cbo.clean 000000000001 aaaaa 010 00000 0001111  |       | (rs1)        | system
  cbo.flush 000000000010 aaaaa 010 00000 0001111  |       | (rs1)        | system
`,
);

export const zicboz = extension(
  "ZICBOZ",
  `
  cbo.zero  000000000100 aaaaa 010 00000 0001111  |       | (rs1)        | system
`,
);

export const privileged = extension(
  "I",
  `
  mret      0011000 00010 00000 000 00000 1110011 |       |              | system
  wfi       0001000 00101 00000 000 00000 1110011 |       |              | system
`,
);

export const supervisor = extension(
  "S",
  `
  sret        0001000 00010 00000 000 00000 1110011 |     |              | system
  sfence.vma  0001001 bbbbb aaaaa 000 00000 1110011 |     | rs1, rs2     | system
`,
);

export const svinval = extension(
  "SVINVAL",
  `
  sinval.vma      0001011 bbbbb aaaaa 000 00000 1110011 | | rs1, rs2     | system
  sfence.w.inval  0001100 00000 00000 000 00000 1110011 | |              | system
  sfence.inval.ir 0001100 00001 00000 000 00000 1110011 | |              | system
`,
);
