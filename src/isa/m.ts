import { extension } from "./extension.ts";

// M: integer multiplication and division, Unprivileged Architecture chapter 13.
export const m = extension(
  "M",
  `
  mul       0000001 bbbbb aaaaa 000 ddddd 0110011     |  | rd, rs1, rs2 | alu
  mulh      0000001 bbbbb aaaaa 001 ddddd 0110011     |  | rd, rs1, rs2 | alu
  mulhsu    0000001 bbbbb aaaaa 010 ddddd 0110011     |  | rd, rs1, rs2 | alu
  mulhu     0000001 bbbbb aaaaa 011 ddddd 0110011     |  | rd, rs1, rs2 | alu
  div       0000001 bbbbb aaaaa 100 ddddd 0110011     |  | rd, rs1, rs2 | alu
  divu      0000001 bbbbb aaaaa 101 ddddd 0110011     |  | rd, rs1, rs2 | alu
  rem       0000001 bbbbb aaaaa 110 ddddd 0110011     |  | rd, rs1, rs2 | alu
  remu      0000001 bbbbb aaaaa 111 ddddd 0110011     |  | rd, rs1, rs2 | alu
  mulw      0000001 bbbbb aaaaa 000 ddddd 0111011     |  | rd, rs1, rs2 | alu
  divw      0000001 bbbbb aaaaa 100 ddddd 0111011     |  | rd, rs1, rs2 | alu
  divuw     0000001 bbbbb aaaaa 101 ddddd 0111011     |  | rd, rs1, rs2 | alu
  remw      0000001 bbbbb aaaaa 110 ddddd 0111011     |  | rd, rs1, rs2 | alu
  remuw     0000001 bbbbb aaaaa 111 ddddd 0111011     |  | rd, rs1, rs2 | alu
`,
);
