/** What a memory access does; the order is that of the exception codes' groups. */
export const enum Access { FETCH = 0, LOAD = 1, STORE = 2 }
