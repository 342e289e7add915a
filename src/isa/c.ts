import { compressed } from "./extension.ts";

// C: compressed instructions (RV64C), Unprivileged Architecture chapter 27. Each row
// names the instruction it abbreviates. Capitals are the three-bit register fields
// (x8 to x15); `e` is rd and rs1 at once. First match wins, so special cases precede.
export const c = compressed(
  "C",
  `
  c.addi4spn  000 iiiiiiii DDD 00          | u5:4,9:6,2,3         | addi rs1=2          | imm!=0
  c.lw        010 iii AAA ii DDD 00        | u5:3,2,6             | lw                  |
  c.ld        011 iii AAA ii DDD 00        | u5:3,7:6             | ld                  |
  c.sw        110 iii AAA ii BBB 00        | u5:3,2,6             | sw                  |
  c.sd        111 iii AAA ii BBB 00        | u5:3,7:6             | sd                  |
  c.addi      000 i eeeee iiiii 01         | s5,4:0               | addi                |
  c.addiw     001 i eeeee iiiii 01         | s5,4:0               | addiw               | rd!=0
  c.li        010 i ddddd iiiii 01         | s5,4:0               | addi rs1=0          |
  c.addi16sp  011 i 00010 iiiii 01         | s9,4,6,8:7,5         | addi rd=2 rs1=2     | imm!=0
  c.lui       011 i ddddd iiiii 01         | s17,16:12            | lui                 | imm!=0
  c.srli      100 i 00 EEE iiiii 01        | u5,4:0               | srli                |
  c.srai      100 i 01 EEE iiiii 01        | u5,4:0               | srai                |
  c.andi      100 i 10 EEE iiiii 01        | s5,4:0               | andi                |
  c.sub       100 0 11 EEE 00 BBB 01       |                      | sub                 |
  c.xor       100 0 11 EEE 01 BBB 01       |                      | xor                 |
  c.or        100 0 11 EEE 10 BBB 01       |                      | or                  |
  c.and       100 0 11 EEE 11 BBB 01       |                      | and                 |
  c.subw      100 1 11 EEE 00 BBB 01       |                      | subw                |
  c.addw      100 1 11 EEE 01 BBB 01       |                      | addw                |
  c.j         101 iiiiiiiiiii 01           | s11,4,9:8,10,6,7,3:1,5 | jal rd=0          |
  c.beqz      110 iii AAA iiiii 01         | s8,4:3,7:6,2:1,5     | beq rs2=0           |
  c.bnez      111 iii AAA iiiii 01         | s8,4:3,7:6,2:1,5     | bne rs2=0           |
  c.slli      000 i eeeee iiiii 10         | u5,4:0               | slli                |
  c.lwsp      010 i ddddd iiiii 10         | u5,4:2,7:6           | lw rs1=2            | rd!=0
  c.ldsp      011 i ddddd iiiii 10         | u5,4:3,8:6           | ld rs1=2            | rd!=0
  c.ebreak    100 1 00000 00000 10         |                      | ebreak              |
  c.jr        100 0 aaaaa 00000 10         |                      | jalr rd=0           | rs1!=0
  c.jalr      100 1 aaaaa 00000 10         |                      | jalr rd=1           |
  c.mv        100 0 ddddd bbbbb 10         |                      | add rs1=0           | rs2!=0
  c.add       100 1 eeeee bbbbb 10         |                      | add                 |
  c.swsp      110 iiiiii bbbbb 10          | u5:2,7:6             | sw rs1=2            |
  c.sdsp      111 iiiiii bbbbb 10          | u5:3,8:6             | sd rs1=2            |
`,
);

export const cd = compressed(
  "D",
  `
  c.fld       001 iii AAA ii DDD 00        | u5:3,7:6             | fld                 |
  c.fsd       101 iii AAA ii BBB 00        | u5:3,7:6             | fsd                 |
  c.fldsp     001 i ddddd iiiii 10         | u5,4:3,8:6           | fld rs1=2           |
  c.fsdsp     101 iiiiii bbbbb 10          | u5:3,8:6             | fsd rs1=2           |
`,
);
