// How an instruction takes part in a region: the kinds of the instruction table, and STOP for what ends a region.
export const enum Kind { ALU, MEMORY, BRANCH, JAL, JALR, ATOMIC, FLOAT, FLOAT_MEMORY, SYSTEM, STOP }
