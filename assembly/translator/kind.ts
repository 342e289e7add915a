// How an instruction takes part in a region: the kinds of the instruction table, CSR for an access that is written out, and STOP for what ends a region.
export const enum Kind { ALU, MEMORY, BRANCH, JAL, JALR, ATOMIC, FLOAT, FLOAT_MEMORY, CSR, SYSTEM, STOP }
