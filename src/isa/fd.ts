import { extension } from "./extension.ts";

// F and D: single- and double-precision floating point, Unprivileged Architecture
// chapters 21 and 22. `mmm` is the rounding mode; the two formats share every shape,
// so they share the rows: fmt 00 is single, 01 double.
const both = (s: string, fmt: string) => `
  fmadd.${s}    ccccc ${fmt} bbbbb aaaaa mmm ddddd 1000011   | | fd, fs1, fs2, fs3, rm | float
  fmsub.${s}    ccccc ${fmt} bbbbb aaaaa mmm ddddd 1000111   | | fd, fs1, fs2, fs3, rm | float
  fnmsub.${s}   ccccc ${fmt} bbbbb aaaaa mmm ddddd 1001011   | | fd, fs1, fs2, fs3, rm | float
  fnmadd.${s}   ccccc ${fmt} bbbbb aaaaa mmm ddddd 1001111   | | fd, fs1, fs2, fs3, rm | float
  fadd.${s}     00000 ${fmt} bbbbb aaaaa mmm ddddd 1010011   | | fd, fs1, fs2, rm | float
  fsub.${s}     00001 ${fmt} bbbbb aaaaa mmm ddddd 1010011   | | fd, fs1, fs2, rm | float
  fmul.${s}     00010 ${fmt} bbbbb aaaaa mmm ddddd 1010011   | | fd, fs1, fs2, rm | float
  fdiv.${s}     00011 ${fmt} bbbbb aaaaa mmm ddddd 1010011   | | fd, fs1, fs2, rm | float
  fsqrt.${s}    01011 ${fmt} 00000 aaaaa mmm ddddd 1010011   | | fd, fs1, rm | float
  fsgnj.${s}    00100 ${fmt} bbbbb aaaaa 000 ddddd 1010011   | | fd, fs1, fs2 | float
  fsgnjn.${s}   00100 ${fmt} bbbbb aaaaa 001 ddddd 1010011   | | fd, fs1, fs2 | float
  fsgnjx.${s}   00100 ${fmt} bbbbb aaaaa 010 ddddd 1010011   | | fd, fs1, fs2 | float
  fmin.${s}     00101 ${fmt} bbbbb aaaaa 000 ddddd 1010011   | | fd, fs1, fs2 | float
  fmax.${s}     00101 ${fmt} bbbbb aaaaa 001 ddddd 1010011   | | fd, fs1, fs2 | float
  fle.${s}      10100 ${fmt} bbbbb aaaaa 000 ddddd 1010011   | | rd, fs1, fs2 | float
  flt.${s}      10100 ${fmt} bbbbb aaaaa 001 ddddd 1010011   | | rd, fs1, fs2 | float
  feq.${s}      10100 ${fmt} bbbbb aaaaa 010 ddddd 1010011   | | rd, fs1, fs2 | float
  fclass.${s}   11100 ${fmt} 00000 aaaaa 001 ddddd 1010011   | | rd, fs1 | float
  fcvt.w.${s}   11000 ${fmt} 00000 aaaaa mmm ddddd 1010011   | | rd, fs1, rm | float
  fcvt.wu.${s}  11000 ${fmt} 00001 aaaaa mmm ddddd 1010011   | | rd, fs1, rm | float
  fcvt.l.${s}   11000 ${fmt} 00010 aaaaa mmm ddddd 1010011   | | rd, fs1, rm | float
  fcvt.lu.${s}  11000 ${fmt} 00011 aaaaa mmm ddddd 1010011   | | rd, fs1, rm | float
  fcvt.${s}.w   11010 ${fmt} 00000 aaaaa mmm ddddd 1010011   | | fd, rs1, rm | float
  fcvt.${s}.wu  11010 ${fmt} 00001 aaaaa mmm ddddd 1010011   | | fd, rs1, rm | float
  fcvt.${s}.l   11010 ${fmt} 00010 aaaaa mmm ddddd 1010011   | | fd, rs1, rm | float
  fcvt.${s}.lu  11010 ${fmt} 00011 aaaaa mmm ddddd 1010011   | | fd, rs1, rm | float`;

export const f = extension(
  "F",
  `
  flw         iiiiiiiiiiii aaaaa 010 ddddd 0000111    | s11:0     | fd, imm(rs1)  | float-memory
  fsw         iiiiiii bbbbb aaaaa 010 iiiii 0100111   | s11:5,4:0 | fs2, imm(rs1) | float-memory
  ${both("s", "00")}
  fmv.x.w     1110000 00000 aaaaa 000 ddddd 1010011   | | rd, fs1 | float
  fmv.w.x     1111000 00000 aaaaa 000 ddddd 1010011   | | fd, rs1 | float
`,
);

export const d = extension(
  "D",
  `
  fld         iiiiiiiiiiii aaaaa 011 ddddd 0000111    | s11:0     | fd, imm(rs1)  | float-memory
  fsd         iiiiiii bbbbb aaaaa 011 iiiii 0100111   | s11:5,4:0 | fs2, imm(rs1) | float-memory
  ${both("d", "01")}
  fcvt.s.d    0100000 00001 aaaaa mmm ddddd 1010011   | | fd, fs1, rm | float
  fcvt.d.s    0100001 00000 aaaaa mmm ddddd 1010011   | | fd, fs1, rm | float
  fmv.x.d     1110001 00000 aaaaa 000 ddddd 1010011   | | rd, fs1 | float
  fmv.d.x     1111001 00000 aaaaa 000 ddddd 1010011   | | fd, rs1 | float
`,
);
