// A predecoded instruction: 16 bytes for every halfword of a code page.
//
//    0  u16 op        operation (isa/op.gen)
//    2  u16 rd        address of the destination register, or of the sink
//    4  u16 rs1       address of the first source
//    6  u16 rs2       address of the second
//    8  i32 imm       immediate; a near branch's is already scaled to entries
//   12  u16 rs3       address of the third source
//   14  u8  stride    bytes to the next entry: 16 or 32
//   15  u8  rm        rounding mode field
@unmanaged
export class Entry {
  op: u16;
  rd: u16;
  rs1: u16;
  rs2: u16;
  imm: i32;
  rs3: u16;
  stride: u8;
  rm: u8;
}

/** Entries are this much larger than the code they stand for: 16 bytes for 2. */
export const SCALE: u32 = 3;
