// AES-128 in CBC mode (FIPS 197) over 32 KiB, in place: sixteen table look-ups a round, and
// each block waits for the one before it. A column is a word, its first byte the lowest.
#include "kernel.h"

enum { BLOCKS = 2048, ROUNDS = 10 };
static uint8_t sbox[256];
/** What a byte of the state adds to its column, by its row. */
static uint32_t tables[4][256];
static uint32_t keys[4 * (ROUNDS + 1)];
static uint32_t data[BLOCKS][4];

/** Times x in GF(2^8), modulo x^8 + x^4 + x^3 + x + 1. */
static uint8_t twice(uint8_t value) { return (uint8_t)(value << 1 ^ (value & 0x80 ? 0x1b : 0)); }

static uint8_t rotate8(uint8_t value, int by) { return (uint8_t)(value << by | value >> (8 - by)); }

static void makeTables(void) {
  // p runs through all powers of 3, and q through their inverses, the powers of 0xf6.
  uint8_t p = 1, q = 1;
  do {
    p ^= twice(p);
    q ^= (uint8_t)(q << 1);
    q ^= (uint8_t)(q << 2);
    q ^= (uint8_t)(q << 4);
    if (q & 0x80) q ^= 0x09;
    sbox[p] = q ^ rotate8(q, 1) ^ rotate8(q, 2) ^ rotate8(q, 3) ^ rotate8(q, 4) ^ 0x63;
  } while (p != 1);
  sbox[0] = 0x63;
  for (int i = 0; i < 256; i++) {
    const uint32_t s = sbox[i], s2 = twice(sbox[i]);
    const uint32_t column = s2 | s << 8 | s << 16 | (s2 ^ s) << 24;
    for (int row = 0; row < 4; row++) tables[row][i] = row ? column << 8 * row | column >> (32 - 8 * row) : column;
  }
}

static uint32_t substitute(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return sbox[(uint8_t)a] | (uint32_t)sbox[(uint8_t)(b >> 8)] << 8 | (uint32_t)sbox[(uint8_t)(c >> 16)] << 16 |
         (uint32_t)sbox[d >> 24] << 24;
}

static void expandKey(const uint32_t key[4]) {
  uint8_t constant = 1;
  for (int i = 0; i < 4; i++) keys[i] = key[i];
  for (int i = 4; i < 4 * (ROUNDS + 1); i++) {
    uint32_t word = keys[i - 1];
    if (i % 4 == 0) {
      word = word >> 8 | word << 24;
      word = substitute(word, word, word, word) ^ constant;
      constant = twice(constant);
    }
    keys[i] = keys[i - 4] ^ word;
  }
}

static uint32_t mix(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return tables[0][(uint8_t)a] ^ tables[1][(uint8_t)(b >> 8)] ^ tables[2][(uint8_t)(c >> 16)] ^ tables[3][d >> 24];
}

static void encrypt(uint32_t block[4]) {
  const uint32_t *key = keys;
  uint32_t a = block[0] ^ key[0], b = block[1] ^ key[1], c = block[2] ^ key[2], d = block[3] ^ key[3];
  for (int round = 1; round < ROUNDS; round++) {
    key += 4;
    const uint32_t a1 = mix(a, b, c, d) ^ key[0], b1 = mix(b, c, d, a) ^ key[1];
    const uint32_t c1 = mix(c, d, a, b) ^ key[2], d1 = mix(d, a, b, c) ^ key[3];
    a = a1, b = b1, c = c1, d = d1;
  }
  key += 4;
  block[0] = substitute(a, b, c, d) ^ key[0];
  block[1] = substitute(b, c, d, a) ^ key[1];
  block[2] = substitute(c, d, a, b) ^ key[2];
  block[3] = substitute(d, a, b, c) ^ key[3];
}

static void prepare(void) {
  makeTables();
  const uint64_t low = random64(), high = random64();
  expandKey((const uint32_t[4]){(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high, (uint32_t)(high >> 32)});
}

uint64_t kernel(void) {
  if (!sbox[0]) prepare();
  const uint64_t start = random64();
  uint32_t chain[4] = {(uint32_t)start, (uint32_t)(start >> 32), 0, 0};
  for (int i = 0; i < BLOCKS; i++) {
    for (int k = 0; k < 4; k++) chain[k] ^= data[i][k];
    encrypt(chain);
    for (int k = 0; k < 4; k++) data[i][k] = chain[k];
  }
  return ((uint64_t)chain[1] << 32 | chain[0]) ^ ((uint64_t)chain[3] << 32 | chain[2]);
}
