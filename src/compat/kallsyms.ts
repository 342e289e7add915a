// Names of a Linux kernel's symbols out of its Image (scripts/kallsyms.c, kernel/kallsyms.c):
//
//   kallsyms_num_syms      u32
//   kallsyms_names         a symbol: length (one byte, or two with 7 bits each), then so many token numbers
//   kallsyms_markers       u32: where every 256th symbol is in the names
//   kallsyms_token_table   256 strings
//   kallsyms_token_index   u16: where each token is in the table
//
// Each begins at a multiple of 8, in newer kernels at the next multiple of what it is made of.
//
// None of it has a signature. The tokens of the digits stand for themselves, which finds the table;
// what else there is must agree with it in every word, or there are no names here. Addresses are left out.
import { alignedView } from "./bytes.ts";

const TOKENS = 256;
const MARKER_STEP = 256;
const DIGIT_ZERO = 0x30;
/** More than any kernel has. */
const MOST_SYMBOLS = 1 << 21;
/** A token's most bytes, by far. */
const MOST_TOKEN = 512;
/** The names behind the last marker, at most 256, take no more. */
const MOST_TAIL = 1 << 17;
const MOST_NAME = 1024;

interface Tables {
  tokens: string[];
  names: number;
  end: number;
  count: number;
}

/** What the parts of the tables begin at multiples of: at first that of old kernels. */
const ALIGNMENTS = [8, 4, 2];

/** "0", "1" ... "9", each with its zero. */
const DIGITS = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? DIGIT_ZERO + i / 2 : 0));

/** Reads a token table at `start`: the tokens and where it ends, if its index behind it agrees. */
function readTokens(bytes: Uint8Array, view: DataView, start: number): string[] | undefined {
  const tokens: string[] = [];
  const places: number[] = [];
  let at = start;
  for (let i = 0; i < TOKENS; i++) {
    const end = bytes.indexOf(0, at);
    if (end < 0 || end - at > MOST_TOKEN) return undefined;
    places.push(at - start);
    tokens.push(String.fromCharCode(...bytes.subarray(at, end)));
    at = end + 1;
  }
  const isIndex = (index: number): boolean =>
    index + 2 * TOKENS <= bytes.length && places.every((place, i) => view.getUint16(index + 2 * i, true) === place);
  return ALIGNMENTS.some((to) => isIndex(Math.ceil(at / to) * to)) ? tokens : undefined;
}

/** Goes back from where the markers end over all of them: ascending words that begin with 0. */
function readMarkers(view: DataView, end: number): { at: number; words: number[] } | undefined {
  const words: number[] = [];
  for (let at = end - 4; at >= 0 && words.length <= MOST_SYMBOLS / MARKER_STEP; at -= 4) {
    const word = view.getUint32(at, true);
    if (words.length > 0 && word >= words[words.length - 1]) return undefined;
    words.push(word);
    if (word === 0) return { at, words: words.reverse() };
  }
  return undefined;
}

/** Length of the symbol at `at` in tokens, and the bytes that say it. */
function lengthAt(bytes: Uint8Array, at: number): [number, number] {
  const first = bytes[at];
  return first < 0x80 ? [first, 1] : [(first & 0x7f) | (bytes[at + 1] << 7), 2];
}

/** Where the names begin, and how many there are. */
function findNames(
  bytes: Uint8Array,
  view: DataView,
  markers: { at: number; words: number[] },
): { names: number; count: number } | undefined {
  const { at: end, words } = markers;
  const last = words[words.length - 1];
  const lowest = Math.max(8, end - last - MOST_TAIL);
  for (let names = Math.floor((end - last) / 4) * 4; names >= lowest; names -= 4) {
    // Between the number of names and the first there may be a word of alignment.
    for (const count of [view.getUint32(names - 8, true), view.getUint32(names - 4, true)]) {
      if (count === 0 || count > MOST_SYMBOLS || Math.ceil(count / MARKER_STEP) !== words.length) continue;
      let at = names + last;
      let i = (words.length - 1) * MARKER_STEP;
      for (; i < count && at < end; i++) {
        const [length, prefix] = lengthAt(bytes, at);
        at += prefix + length;
      }
      // Behind the last name there is alignment alone.
      if (i === count && at <= end && end - at < 8) return { names, count };
    }
  }
  return undefined;
}

function findTables(bytes: Uint8Array, view: DataView): Tables | undefined {
  for (let digits = bytes.indexOf(DIGIT_ZERO); digits >= 0; digits = bytes.indexOf(DIGIT_ZERO, digits + 1)) {
    if (!DIGITS.every((byte, i) => bytes[digits + i] === byte)) continue;
    // The table follows words, with as many tokens in between as there are characters below "0".
    let zeros = 0;
    for (let start = digits; start > 0 && digits - start < DIGIT_ZERO * MOST_TOKEN && zeros <= DIGIT_ZERO; start--) {
      if (start % 4 === 0 && zeros === DIGIT_ZERO) {
        const tokens = readTokens(bytes, view, start);
        // Behind the markers there may be a word of alignment, which looks like the first of them.
        for (const end of tokens === undefined ? [] : [start, start - 4]) {
          const markers = readMarkers(view, end);
          const found = markers && findNames(bytes, view, markers);
          if (tokens && markers && found) return { tokens, ...found, end: markers.at };
        }
      }
      if (bytes[start - 1] === 0) zeros++;
    }
  }
  return undefined;
}

/** Names of the kernel's symbols, in the order of addresses; none if it has none, or has them in another form. */
export function* kernelSymbols(image: Uint8Array): Generator<string, void, undefined> {
  const bytes = alignedView(image);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tables = findTables(bytes, view);
  if (tables === undefined) return;
  let at = tables.names;
  for (let i = 0; i < tables.count && at < tables.end; i++) {
    const [length, prefix] = lengthAt(bytes, at);
    at += prefix;
    if (length > MOST_NAME || at + length > tables.end) return;
    let name = "";
    for (let token = 0; token < length; token++) name += tables.tokens[bytes[at + token]];
    at += length;
    // The first character is the symbol's type.
    yield name.slice(1);
  }
}

/** Names of what is built in, as modules would be called: every initcall of a kernel with CONFIG_KALLSYMS_ALL tells its file's. */
export function builtinNames(symbols: Iterable<string>): Set<string> {
  const names = new Set<string>();
  for (const symbol of symbols) {
    const name = /^__initcall__kmod_(.+?)__\d+_\d+_/.exec(symbol)?.[1];
    if (name !== undefined) names.add(name);
  }
  return names;
}
