// Where everything lies in a fuzz program, all of it in the first 2 MiB of RAM.
//
//   +0x00_0000  start and trap entry        +0x04_0000  code
//   +0x00_3000  save areas, a page a hart   +0x08_0000  the same code pages with other markers
//   +0x00_6000  tables of the services      +0x0c_0000  page tables
//   +0x00_8000  call stacks                 +0x14_0000  end
//   +0x02_0000  data
export const RAM = 0x8000_0000;
export const SAVES = RAM + 0x3000;
export const TABLES = RAM + 0x6000;
export const STACKS = RAM + 0x8000;
export const STACK_SIZE = 0x8000;
export const DATA = RAM + 0x2_0000;
export const DATA_PAGES = 16;
export const CODE = RAM + 0x4_0000;
export const CODE_PAGES = 64;
export const TWIN = RAM + 0x8_0000;
export const PAGE_TABLES = RAM + 0xc_0000;
export const IMAGE_SIZE = 0x14_0000;
/** Bytes behind which addresses of both windows agree. */
export const WINDOW_SIZE = 0x20_0000;

/** Offsets in a hart's save area. */
export const enum Save {
  X28 = 0,
  X29 = 8,
  X30 = 16,
  X31 = 24,
  HASH = 32,
  TRAPS = 40,
  /** Address at which the window in use begins. */
  WINDOW = 48,
  STACK = 56,
  RANDOM = 64,
  ALARMS = 72,
  /** Registers when the program ended: x, f, fcsr. */
  X = 0x200,
  F = 0x300,
  FCSR = 0x400,
}
export const SAVE_SIZE = 0x1000;
