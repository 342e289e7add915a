// How an instruction takes part in a region: the kinds of the instruction table.
export const enum Kind { ALU, MEMORY, BRANCH, JAL, JALR, ATOMIC, FLOAT, FLOAT_MEMORY, SYSTEM }
