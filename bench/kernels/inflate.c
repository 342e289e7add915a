// Inflates 64 KiB of text that deflate.h has compressed: bits, table look-ups that lead to
// others, copies of a few bytes. Errors in the stream are not looked for.
#include "deflate.h"

enum { SIZE = 65536, WORDS = 512, FAST_BITS = 9, FAST = 1 << FAST_BITS };
static uint8_t text[SIZE], packed[SIZE + 1024], unpacked[SIZE];

struct BitReader {
  const uint8_t *next;
  uint64_t bits;
  int count;
};

/** What a code says about bits to come. */
struct Decoder {
  /** Symbol << 4 | length for codes of at most FAST_BITS bits, by the next bits; else 0. */
  uint16_t fast[FAST];
  /** How many codes have a length, and the symbols in the order of their codes. */
  uint16_t counts[LONGEST_CODE + 1], symbols[LITERALS + 2];
};

static void fill(struct BitReader *from) {
  for (; from->count <= 56; from->count += 8) from->bits |= (uint64_t)*from->next++ << from->count;
}

static uint32_t takeBits(struct BitReader *from, int count) {
  if (from->count < count) fill(from);
  const uint32_t bits = (uint32_t)(from->bits & ((1u << count) - 1));
  from->bits >>= count;
  from->count -= count;
  return bits;
}

static void makeDecoder(struct Decoder *decoder, const uint8_t *lengths, int count) {
  *decoder = (struct Decoder){0};
  uint16_t place[LONGEST_CODE + 2] = {0};
  for (int i = 0; i < count; i++) decoder->counts[lengths[i]]++;
  decoder->counts[0] = 0;
  for (int length = 1; length <= LONGEST_CODE; length++) place[length + 1] = place[length] + decoder->counts[length];
  for (int i = 0; i < count; i++) {
    if (lengths[i]) decoder->symbols[place[lengths[i]]++] = (uint16_t)i;
  }
  uint32_t code = 0, at = 0;
  for (int length = 1; length <= FAST_BITS; length++, code <<= 1) {
    for (int i = 0; i < decoder->counts[length]; i++, code++, at++) {
      uint32_t reversed = 0;
      for (int bit = 0; bit < length; bit++) reversed |= (code >> bit & 1) << (length - 1 - bit);
      for (; reversed < FAST; reversed += 1u << length) {
        decoder->fast[reversed] = (uint16_t)(decoder->symbols[at] << 4 | length);
      }
    }
  }
}

static uint32_t takeSymbol(struct BitReader *from, const struct Decoder *decoder) {
  if (from->count < LONGEST_CODE) fill(from);
  const uint16_t entry = decoder->fast[from->bits & (FAST - 1)];
  if (entry) {
    from->bits >>= entry & 15;
    from->count -= entry & 15;
    return entry >> 4;
  }
  // Codes of a length follow those that are shorter: compare with the first, bit by bit.
  uint32_t code = 0, first = 0, index = 0;
  for (int length = 1;; length++) {
    code |= takeBits(from, 1);
    const uint32_t count = decoder->counts[length];
    if (code - first < count) return decoder->symbols[index + code - first];
    index += count;
    first = (first + count) << 1;
    code <<= 1;
  }
}

static void readCodes(struct BitReader *from, struct Decoder *literals, struct Decoder *distances) {
  uint8_t lengths[LITERALS + 2 + DISTANCES + 2] = {0};
  const int literalCount = (int)takeBits(from, 5) + 257, distanceCount = (int)takeBits(from, 5) + 1;
  const int lengthCount = (int)takeBits(from, 4) + 4;
  for (int i = 0; i < lengthCount; i++) lengths[codeLengthOrder[i]] = (uint8_t)takeBits(from, 3);
  makeDecoder(literals, lengths, CODE_LENGTHS);
  for (int i = 0; i < literalCount + distanceCount;) {
    const uint32_t symbol = takeSymbol(from, literals);
    uint8_t value = 0;
    uint32_t repeat = 1;
    switch (symbol) {
      case 16: value = lengths[i - 1], repeat = 3 + takeBits(from, 2); break;
      case 17: repeat = 3 + takeBits(from, 3); break;
      case 18: repeat = 11 + takeBits(from, 7); break;
      default: value = (uint8_t)symbol;
    }
    while (repeat-- > 0) lengths[i++] = value;
  }
  makeDecoder(literals, lengths, literalCount);
  makeDecoder(distances, lengths + literalCount, distanceCount);
}

static void fixedCodes(struct Decoder *literals, struct Decoder *distances) {
  uint8_t lengths[LITERALS + 2];
  for (int i = 0; i < LITERALS + 2; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  makeDecoder(literals, lengths, LITERALS + 2);
  for (int i = 0; i < DISTANCES + 2; i++) lengths[i] = 5;
  makeDecoder(distances, lengths, DISTANCES + 2);
}

static uint8_t *copyStored(struct BitReader *from, uint8_t *to) {
  takeBits(from, from->count & 7);
  uint32_t size = takeBits(from, 16);
  takeBits(from, 16); // the size again, inverted
  while (size-- > 0) *to++ = (uint8_t)takeBits(from, 8);
  return to;
}

static uint8_t *inflate(const uint8_t *packedBytes, uint8_t *to) {
  static struct Decoder literals, distances;
  struct BitReader from = {packedBytes, 0, 0};
  for (uint32_t last = 0; !last;) {
    last = takeBits(&from, 1);
    const uint32_t type = takeBits(&from, 2);
    if (type == 0) {
      to = copyStored(&from, to);
      continue;
    }
    if (type == 1) fixedCodes(&literals, &distances);
    else readCodes(&from, &literals, &distances);
    for (;;) {
      const uint32_t symbol = takeSymbol(&from, &literals);
      if (symbol == END_OF_BLOCK) break;
      if (symbol < END_OF_BLOCK) {
        *to++ = (uint8_t)symbol;
        continue;
      }
      const uint32_t slot = symbol - END_OF_BLOCK - 1;
      uint32_t length = lengthBase[slot] + takeBits(&from, lengthExtra[slot]);
      const uint32_t distanceSymbol = takeSymbol(&from, &distances);
      const uint8_t *copy = to - distanceBase[distanceSymbol] - takeBits(&from, distanceExtra[distanceSymbol]);
      while (length-- > 0) *to++ = *copy++;
    }
  }
  return to;
}

static void prepare(void) {
  static char words[WORDS][12];
  static uint32_t tokens[SIZE];
  for (int i = 0; i < WORDS; i++) {
    uint64_t bits = random64();
    for (uint64_t length = 2 + bits % 8, k = 0; k < length; k++, bits >>= 5) {
      words[i][k] = "etaoinshrdlcumwfgypbvkjxqzeatoin"[bits >> 8 & 31];
    }
  }
  for (uint8_t *at = text; at < text + SIZE;) {
    // The product of two random numbers: some words are much more frequent.
    const uint64_t bits = random64();
    const char *from = words[(bits & 0xffff) * (bits >> 16 & 0xffff) >> 23];
    while (*from && at < text + SIZE) *at++ = (uint8_t)*from++;
    if (at < text + SIZE) *at++ = ' ';
  }
  deflate(text, SIZE, packed, tokens);
}

uint64_t kernel(void) {
  if (!text[0]) prepare();
  uint8_t *const end = inflate(packed, unpacked);
  uint64_t a = random64() & 0xffff, b = 0;
  for (const uint8_t *p = unpacked; p < end; p++) a += *p, b += a;
  unpacked[a % SIZE] = 0; // the next round has to write it again
  return b << 20 ^ a;
}
