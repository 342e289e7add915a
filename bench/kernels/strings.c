// Words: a text is cut into words, each is hashed (FNV-1a) and counted in a table that
// compares strings. Byte loads, short loops, unpredictable lengths.
#include "kernel.h"

enum { WORDS = 1024, TABLE = 2048, LONGEST = 12 };
static char text[WORDS * (LONGEST + 1) + 1];
static struct {
  char word[LONGEST + 1];
  uint32_t count;
} table[TABLE];

static void prepare(void) {
  char *at = text;
  for (int i = 0; i < WORDS; i++) {
    // Few letters, and short words more often: many are the same.
    uint64_t bits = random64();
    for (uint64_t length = 1 + bits % LONGEST * (bits >> 32 & 3) / 3; length > 0; length--) {
      bits = bits * 6364136223846793005 + 1442695040888963407;
      *at++ = "etaoinsh"[bits >> 61];
    }
    *at++ = ' ';
  }
  *at = 0;
}

static size_t copyWord(char *to, const char *from) {
  size_t length = 0;
  while (*from && *from != ' ') to[length++] = *from++;
  to[length] = 0;
  return length;
}

static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

static uint32_t hash(const char *word) {
  uint32_t value = 2166136261;
  for (; *word; word++) value = (value ^ (uint8_t)*word) * 16777619;
  return value;
}

uint64_t kernel(void) {
  if (!text[0]) prepare();
  uint64_t sum = 0;
  char word[LONGEST + 1];
  for (const char *at = text; *at; at++) {
    const size_t length = copyWord(word, at);
    at += length;
    size_t slot = hash(word) % TABLE;
    while (table[slot].count && !same(table[slot].word, word)) slot = (slot + 1) % TABLE;
    if (!table[slot].count) copyWord(table[slot].word, word);
    sum = sum * 3 + ++table[slot].count + length;
  }
  return sum;
}
