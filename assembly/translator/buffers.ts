// The translator's working memory, inside Layout.TRANSLATOR behind jump caches and regions.
// Nothing here outlives a slice but the bodies of functions that wait for their module.
import { Layout } from "../abi/layout";
import { REGIONS_END } from "../code/regions";

/** Most instructions of a region. TurboFan's time grows faster than a function's size. */
export const MAX_INSNS: u32 = 256;
/** Each block but the first has an edge to it, and an instruction two edges at most that may leave. */
export const MAX_BLOCKS: u32 = 640;
/** A block may open a loop, be a join and lie in an `if`. */
const MAX_LABELS: usize = 3 * MAX_BLOCKS;
export const MAX_EDGES: u32 = 4096;

/** Calls inside each other, as Wasm's: deeper ones leave, so that the host's stack is bounded. */
export const MAX_DEPTH: i32 = 400;

/** How often entries were arrived at, u16 each, by a hash of their address. */
export const HEAT: usize = (REGIONS_END + 15) & ~15;
export const HEAT_MASK: usize = 0x1_fffe;
/** Observed targets of indirect jumps (targets.ts). */
export const TARGETS: usize = HEAT + HEAT_MASK + 2;
export const TARGETS_SIZE: usize = 1024 * 144;

/** What was learnt of accesses (sites.ts). */
export const SITES: usize = TARGETS + TARGETS_SIZE;
export const SITE_COUNT: u32 = 4096;
export const SITE_SIZE: usize = 8;

export const INSNS: usize = SITES + <usize>SITE_COUNT * SITE_SIZE;
export const INSN_SIZE: usize = 56;
export const BLOCKS: usize = INSNS + <usize>MAX_INSNS * INSN_SIZE;
export const BLOCK_SIZE: usize = 128;
/** For each halfword of a region's pages: u16 instruction number + 1, u16 block number + 1. */
export const BY_ADDRESS: usize = BLOCKS + <usize>MAX_BLOCKS * BLOCK_SIZE;
export const BY_ADDRESS_SIZE: usize = 4 * 2048 * 4;
/** u16 lists: successors, predecessors, blocks in reverse postorder, work still to do. */
export const SUCCESSORS: usize = BY_ADDRESS + BY_ADDRESS_SIZE;
export const PREDECESSORS: usize = SUCCESSORS + <usize>MAX_EDGES * 2;
export const ORDER: usize = PREDECESSORS + <usize>MAX_EDGES * 2;
export const WORK: usize = ORDER + <usize>MAX_BLOCKS * 2;
export const LABELS: usize = WORK + 4096 * 8;
/** The pages that a region runs on: see discover.ts. */
export const PAGES: usize = LABELS + MAX_LABELS * 8;
/** Ways out, 8 bytes each; sets of dirty registers, and u16 their order: see exits.ts. */
export const MOST_EXITS: u32 = 4096;
export const MOST_SETS: u32 = 128;
export const EXIT_SITES: usize = PAGES + 256;
export const EXIT_SETS: usize = EXIT_SITES + <usize>MOST_EXITS * 8;
/** Numbers of locals: see locals.ts. */
export const LOCALS: usize = EXIT_SETS + <usize>MOST_SETS * 10;
export const LOCALS_SIZE: usize = 4096;

/** The body under construction, and the most bytes that it may have. */
export const BODY: usize = LOCALS + LOCALS_SIZE;
export const BODY_SIZE: usize = 0x1_0000;
/** Function bodies that wait for their module, behind room for the sections before them. */
export const MODULE: usize = BODY + BODY_SIZE;
export const HEADER_SIZE: usize = 0x1000;
export const MODULE_SIZE: usize = 0x4_0000;
/** Records of modules: modules.ts. */
export const MODULES: usize = MODULE + MODULE_SIZE;
export const MOST_MODULES: u32 = 1024;
export const MODULE_RECORD: usize = 16;
export const BUFFERS_END: usize = MODULES + <usize>MOST_MODULES * MODULE_RECORD;
// Behind it lies guest RAM.
if (BUFFERS_END > <usize>Layout.TRANSLATOR_END) ERROR("the translator's buffers do not fit");
