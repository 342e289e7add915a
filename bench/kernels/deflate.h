// The tables of DEFLATE (RFC 1951), and an encoder that makes one block with Huffman codes
// of its own. It takes the match that its table of hashes offers, and looks for no better.
#pragma once
#include "kernel.h"

enum {
  LITERALS = 286,
  DISTANCES = 30,
  CODE_LENGTHS = 19,
  END_OF_BLOCK = 256,
  LONGEST_CODE = 15,
  MIN_MATCH = 3,
  MAX_MATCH = 258,
  WINDOW = 32768,
};

static const uint16_t lengthBase[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                        31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t lengthExtra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                        2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distanceBase[DISTANCES] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,
                                                 33,  49,  65,  97,  129, 193,  257,  385,  513,  769,
                                                 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t distanceExtra[DISTANCES] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                                 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
/** The order in which lengths of the code length code are written. */
static const uint8_t codeLengthOrder[CODE_LENGTHS] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

/** A code: its bits in the order in which they are written. */
struct Code {
  uint8_t lengths[LITERALS];
  uint16_t bits[LITERALS];
};

struct BitWriter {
  uint8_t *next;
  uint64_t bits;
  int count;
};

static void putBits(struct BitWriter *to, uint32_t bits, int count) {
  to->bits |= (uint64_t)bits << to->count;
  for (to->count += count; to->count >= 8; to->count -= 8, to->bits >>= 8) *to->next++ = (uint8_t)to->bits;
}

static void putSymbol(struct BitWriter *to, const struct Code *code, int symbol) {
  putBits(to, code->bits[symbol], code->lengths[symbol]);
}

/** Huffman's lengths for symbols that occur so often; the longest of them. */
static int huffmanLengths(const uint32_t *weights, int count, uint8_t *lengths) {
  uint32_t weight[2 * LITERALS];
  int parent[2 * LITERALS], depth[2 * LITERALS], nodes = count;
  for (int i = 0; i < count; i++) weight[i] = weights[i], parent[i] = -1;
  for (;;) {
    // The two lightest that have no parent yet get one.
    int light = -1, lightest = -1;
    for (int i = 0; i < nodes; i++) {
      if (parent[i] >= 0 || weight[i] == 0) continue;
      if (lightest < 0 || weight[i] < weight[lightest]) light = lightest, lightest = i;
      else if (light < 0 || weight[i] < weight[light]) light = i;
    }
    if (light < 0) break;
    weight[nodes] = weight[light] + weight[lightest];
    parent[nodes] = -1;
    parent[light] = parent[lightest] = nodes++;
  }
  int longest = 0;
  for (int i = nodes - 1; i >= 0; i--) {
    depth[i] = parent[i] < 0 ? 0 : depth[parent[i]] + 1;
    if (i < count) lengths[i] = (uint8_t)depth[i];
    if (depth[i] > longest) longest = depth[i];
  }
  return longest;
}

/** Gives the symbols of each length consecutive codes (RFC 1951, 3.2.2). */
static void assignCodes(struct Code *code, int count) {
  uint32_t next = 0;
  for (int length = 1; length <= LONGEST_CODE; length++, next <<= 1) {
    for (int symbol = 0; symbol < count; symbol++) {
      if (code->lengths[symbol] != length) continue;
      uint32_t reversed = 0;
      for (int bit = 0; bit < length; bit++) reversed |= (next >> bit & 1) << (length - 1 - bit);
      code->bits[symbol] = (uint16_t)reversed;
      next++;
    }
  }
}

static void makeCode(struct Code *code, uint32_t *weights, int count) {
  while (huffmanLengths(weights, count, code->lengths) > LONGEST_CODE) {
    for (int i = 0; i < count; i++) weights[i] = (weights[i] + 1) / 2;
  }
  assignCodes(code, count);
}

/** The last entry of `base` that is not above `value`. */
static int slotOf(const uint16_t *base, int count, uint32_t value) {
  int slot = count - 1;
  while (base[slot] > value) slot--;
  return slot;
}

static size_t matchLength(const uint8_t *a, const uint8_t *b, const uint8_t *end) {
  size_t length = 0;
  while (length < MAX_MATCH && b + length < end && a[length] == b[length]) length++;
  return length;
}

/** Cuts `from` into literals, and matches as (distance << 9 | length) with bit 31 set; their number. */
static size_t tokenize(const uint8_t *from, size_t size, uint32_t *tokens) {
  static const uint8_t *heads[4096];
  size_t count = 0;
  for (size_t at = 0; at < size;) {
    size_t length = 0, distance = 0;
    if (at + MIN_MATCH <= size) {
      const uint8_t *here = from + at;
      const uint32_t hash = ((uint32_t)here[0] << 16 | (uint32_t)here[1] << 8 | here[2]) * 2654435761u >> 20;
      if (heads[hash] && (distance = (size_t)(here - heads[hash])) <= WINDOW) {
        length = matchLength(heads[hash], here, from + size);
      }
      heads[hash] = here;
    }
    if (length < MIN_MATCH) tokens[count++] = from[at++];
    else tokens[count++] = 1u << 31 | (uint32_t)distance << 9 | (uint32_t)length, at += length;
  }
  return count;
}

static int lengthSlot(uint32_t token) { return slotOf(lengthBase, 29, token & 511); }
static int distanceSlot(uint32_t token) { return slotOf(distanceBase, DISTANCES, token << 1 >> 10); }

/** A compressed stream of one block. @param tokens room for as many as there are bytes. @returns its size */
static size_t deflate(const uint8_t *from, size_t size, uint8_t *to, uint32_t *tokens) {
  static struct Code literals, distances;
  uint32_t literalWeights[LITERALS] = {[END_OF_BLOCK] = 1}, distanceWeights[DISTANCES] = {0};
  const size_t count = tokenize(from, size, tokens);
  for (size_t i = 0; i < count; i++) {
    if (tokens[i] >> 31) {
      literalWeights[END_OF_BLOCK + 1 + lengthSlot(tokens[i])]++;
      distanceWeights[distanceSlot(tokens[i])]++;
    } else {
      literalWeights[tokens[i]]++;
    }
  }
  makeCode(&literals, literalWeights, LITERALS);
  makeCode(&distances, distanceWeights, DISTANCES);

  struct BitWriter out = {to, 0, 0};
  putBits(&out, 1 | 2 << 1, 3); // the last block; codes of its own
  putBits(&out, LITERALS - 257, 5);
  putBits(&out, DISTANCES - 1, 5);
  putBits(&out, CODE_LENGTHS - 4, 4);
  // Lengths of codes are written as they are, four bits each: none is a repetition.
  struct Code lengths = {0};
  for (int i = 0; i < 16; i++) lengths.lengths[i] = 4;
  assignCodes(&lengths, CODE_LENGTHS);
  for (int i = 0; i < CODE_LENGTHS; i++) putBits(&out, lengths.lengths[codeLengthOrder[i]], 3);
  for (int i = 0; i < LITERALS; i++) putSymbol(&out, &lengths, literals.lengths[i]);
  for (int i = 0; i < DISTANCES; i++) putSymbol(&out, &lengths, distances.lengths[i]);
  for (size_t i = 0; i < count; i++) {
    if (!(tokens[i] >> 31)) {
      putSymbol(&out, &literals, (int)tokens[i]);
      continue;
    }
    const int length = lengthSlot(tokens[i]), distance = distanceSlot(tokens[i]);
    putSymbol(&out, &literals, END_OF_BLOCK + 1 + length);
    putBits(&out, (tokens[i] & 511) - lengthBase[length], lengthExtra[length]);
    putSymbol(&out, &distances, distance);
    putBits(&out, (tokens[i] << 1 >> 10) - distanceBase[distance], distanceExtra[distance]);
  }
  putSymbol(&out, &literals, END_OF_BLOCK);
  putBits(&out, 0, 7);
  return (size_t)(out.next - to);
}
