import { extension } from "./extension.ts";

// RV64I base integer instruction set, Unprivileged Architecture chapters 2 and 4.
export const rv64i = extension(
  "I",
  `
  lui       iiiiiiiiiiiiiiiiiiii ddddd 0110111        | s31:12              | rd, imm      | alu
  auipc     iiiiiiiiiiiiiiiiiiii ddddd 0010111        | s31:12              | rd, imm      | alu
  jal       iiiiiiiiiiiiiiiiiiii ddddd 1101111        | s20,10:1,11,19:12   | rd, target   | jal
  jalr      iiiiiiiiiiii aaaaa 000 ddddd 1100111      | s11:0               | rd, imm(rs1) | jalr
  beq       iiiiiii bbbbb aaaaa 000 iiiii 1100011     | s12,10:5,4:1,11     | rs1, rs2, target | branch
  bne       iiiiiii bbbbb aaaaa 001 iiiii 1100011     | s12,10:5,4:1,11     | rs1, rs2, target | branch
  blt       iiiiiii bbbbb aaaaa 100 iiiii 1100011     | s12,10:5,4:1,11     | rs1, rs2, target | branch
  bge       iiiiiii bbbbb aaaaa 101 iiiii 1100011     | s12,10:5,4:1,11     | rs1, rs2, target | branch
  bltu      iiiiiii bbbbb aaaaa 110 iiiii 1100011     | s12,10:5,4:1,11     | rs1, rs2, target | branch
  bgeu      iiiiiii bbbbb aaaaa 111 iiiii 1100011     | s12,10:5,4:1,11     | rs1, rs2, target | branch
  lb        iiiiiiiiiiii aaaaa 000 ddddd 0000011      | s11:0               | rd, imm(rs1) | memory
  lh        iiiiiiiiiiii aaaaa 001 ddddd 0000011      | s11:0               | rd, imm(rs1) | memory
  lw        iiiiiiiiiiii aaaaa 010 ddddd 0000011      | s11:0               | rd, imm(rs1) | memory
  ld        iiiiiiiiiiii aaaaa 011 ddddd 0000011      | s11:0               | rd, imm(rs1) | memory
  lbu       iiiiiiiiiiii aaaaa 100 ddddd 0000011      | s11:0               | rd, imm(rs1) | memory
  lhu       iiiiiiiiiiii aaaaa 101 ddddd 0000011      | s11:0               | rd, imm(rs1) | memory
  lwu       iiiiiiiiiiii aaaaa 110 ddddd 0000011      | s11:0               | rd, imm(rs1) | memory
  sb        iiiiiii bbbbb aaaaa 000 iiiii 0100011     | s11:5,4:0           | rs2, imm(rs1) | memory
  sh        iiiiiii bbbbb aaaaa 001 iiiii 0100011     | s11:5,4:0           | rs2, imm(rs1) | memory
  sw        iiiiiii bbbbb aaaaa 010 iiiii 0100011     | s11:5,4:0           | rs2, imm(rs1) | memory
  sd        iiiiiii bbbbb aaaaa 011 iiiii 0100011     | s11:5,4:0           | rs2, imm(rs1) | memory
  addi      iiiiiiiiiiii aaaaa 000 ddddd 0010011      | s11:0               | rd, rs1, imm | alu
  slti      iiiiiiiiiiii aaaaa 010 ddddd 0010011      | s11:0               | rd, rs1, imm | alu
  sltiu     iiiiiiiiiiii aaaaa 011 ddddd 0010011      | s11:0               | rd, rs1, imm | alu
  xori      iiiiiiiiiiii aaaaa 100 ddddd 0010011      | s11:0               | rd, rs1, imm | alu
  ori       iiiiiiiiiiii aaaaa 110 ddddd 0010011      | s11:0               | rd, rs1, imm | alu
  andi      iiiiiiiiiiii aaaaa 111 ddddd 0010011      | s11:0               | rd, rs1, imm | alu
  slli      000000 iiiiii aaaaa 001 ddddd 0010011     | u5:0                | rd, rs1, imm | alu
  srli      000000 iiiiii aaaaa 101 ddddd 0010011     | u5:0                | rd, rs1, imm | alu
  srai      010000 iiiiii aaaaa 101 ddddd 0010011     | u5:0                | rd, rs1, imm | alu
  add       0000000 bbbbb aaaaa 000 ddddd 0110011     |                     | rd, rs1, rs2 | alu
  sub       0100000 bbbbb aaaaa 000 ddddd 0110011     |                     | rd, rs1, rs2 | alu
  sll       0000000 bbbbb aaaaa 001 ddddd 0110011     |                     | rd, rs1, rs2 | alu
  slt       0000000 bbbbb aaaaa 010 ddddd 0110011     |                     | rd, rs1, rs2 | alu
  sltu      0000000 bbbbb aaaaa 011 ddddd 0110011     |                     | rd, rs1, rs2 | alu
  xor       0000000 bbbbb aaaaa 100 ddddd 0110011     |                     | rd, rs1, rs2 | alu
  srl       0000000 bbbbb aaaaa 101 ddddd 0110011     |                     | rd, rs1, rs2 | alu
  sra       0100000 bbbbb aaaaa 101 ddddd 0110011     |                     | rd, rs1, rs2 | alu
  or        0000000 bbbbb aaaaa 110 ddddd 0110011     |                     | rd, rs1, rs2 | alu
  and       0000000 bbbbb aaaaa 111 ddddd 0110011     |                     | rd, rs1, rs2 | alu
  addiw     iiiiiiiiiiii aaaaa 000 ddddd 0011011      | s11:0               | rd, rs1, imm | alu
  slliw     0000000 iiiii aaaaa 001 ddddd 0011011     | u4:0                | rd, rs1, imm | alu
  srliw     0000000 iiiii aaaaa 101 ddddd 0011011     | u4:0                | rd, rs1, imm | alu
  sraiw     0100000 iiiii aaaaa 101 ddddd 0011011     | u4:0                | rd, rs1, imm | alu
  addw      0000000 bbbbb aaaaa 000 ddddd 0111011     |                     | rd, rs1, rs2 | alu
  subw      0100000 bbbbb aaaaa 000 ddddd 0111011     |                     | rd, rs1, rs2 | alu
  sllw      0000000 bbbbb aaaaa 001 ddddd 0111011     |                     | rd, rs1, rs2 | alu
  srlw      0000000 bbbbb aaaaa 101 ddddd 0111011     |                     | rd, rs1, rs2 | alu
  sraw      0100000 bbbbb aaaaa 101 ddddd 0111011     |                     | rd, rs1, rs2 | alu
  fence     iiiiiiiiiiii aaaaa 000 ddddd 0001111      | u11:0               |              | alu
  ecall     0000000 00000 00000 000 00000 1110011     |                     |              | system
  ebreak    0000000 00001 00000 000 00000 1110011     |                     |              | system
`,
);
