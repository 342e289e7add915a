// The mix of tests for small processors: a linked list is sorted and reversed, matrices of
// 16-bit numbers are multiplied, a state machine looks at words that may be numbers; a
// CRC-16 gathers the results and says what is changed for the next pass.
#include "kernel.h"

enum { ITEMS = 256, SIDE = 24, TEXT = 1024, PASSES = 6 };

static uint16_t crc16(uint16_t crc, uint16_t value) {
  for (int bit = 0; bit < 16; bit++, value >>= 1) crc = (uint16_t)(crc >> 1 ^ (-((crc ^ value) & 1) & 0xa001));
  return crc;
}

// The list.

struct Item {
  struct Item *next;
  int16_t value, index;
};
typedef int Order(const struct Item *a, const struct Item *b);
static struct Item items[ITEMS];
static struct Item *head;

static int byValue(const struct Item *a, const struct Item *b) { return a->value - b->value; }
static int byIndex(const struct Item *a, const struct Item *b) { return a->index - b->index; }

/** Merges what is sorted in parts of one item, of two, of four. */
static struct Item *sortList(struct Item *list, Order *order) {
  for (size_t width = 1;; width *= 2) {
    struct Item *rest = list, **end = &list;
    size_t merges = 0;
    for (; rest; merges++) {
      struct Item *a = rest, *b = rest;
      size_t left = 0, right = width;
      for (; left < width && b; left++) b = b->next;
      while (left > 0 || (right > 0 && b)) {
        struct Item **from = &b;
        if (left > 0 && (right == 0 || !b || order(a, b) <= 0)) from = &a, left--;
        else right--;
        *end = *from;
        end = &(*from)->next;
        *from = *end;
      }
      rest = b;
    }
    *end = NULL;
    if (merges <= 1) return list;
  }
}

static uint16_t testList(uint16_t crc) {
  head = sortList(head, byValue);
  for (const struct Item *item = head; item; item = item->next) {
    if ((item->value & 7) == 0) crc = crc16(crc, (uint16_t)item->index);
  }
  struct Item *reversed = NULL;
  while (head) {
    struct Item *next = head->next;
    head->next = reversed;
    reversed = head;
    head = next;
  }
  head = sortList(reversed, byIndex);
  items[crc % ITEMS].value ^= (int16_t)crc;
  return crc;
}

// The matrices.

static int16_t left[SIDE][SIDE], right[SIDE][SIDE];
static int32_t product[SIDE][SIDE];

static uint16_t testMatrix(uint16_t crc) {
  for (int i = 0; i < SIDE; i++) left[i][i] += (int16_t)crc;
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      uint32_t sum = 0;
      for (int k = 0; k < SIDE; k++) sum += (uint32_t)(left[i][k] * (right[k][j] & 0xff));
      product[i][j] = (int32_t)sum;
    }
  }
  uint16_t changes = 0;
  int32_t before = 0;
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      if (product[i][j] > before) changes += 10;
      before = product[i][j];
      right[j][i] += (int16_t)(before >> 3 & 0xf);
    }
  }
  return crc16(crc, changes);
}

// The state machine.

enum State { START, SIGN, DIGITS, FRACTION, EXPONENT, EXPONENT_SIGN, EXPONENT_DIGITS, INVALID, STATES };
static char text[TEXT + 1];

static enum State next(enum State state, char c) {
  const int digit = c >= '0' && c <= '9', sign = c == '+' || c == '-';
  switch (state) {
    case START: return digit ? DIGITS : sign ? SIGN : c == '.' ? FRACTION : INVALID;
    case SIGN: return digit ? DIGITS : c == '.' ? FRACTION : INVALID;
    case DIGITS: return digit ? DIGITS : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case EXPONENT: return digit ? EXPONENT_DIGITS : sign ? EXPONENT_SIGN : INVALID;
    case EXPONENT_SIGN:
    case EXPONENT_DIGITS: return digit ? EXPONENT_DIGITS : INVALID;
    default: return INVALID;
  }
}

static uint16_t testStates(uint16_t crc) {
  uint16_t words[STATES] = {0};
  enum State state = START;
  for (const char *at = text; *at; at++) {
    if (*at == ',') {
      words[state]++;
      state = START;
    } else {
      state = next(state, *at);
    }
  }
  // Another character for the next pass, but never a comma more or less.
  char *changed = &text[crc % TEXT];
  if (*changed != ',') *changed = "0123456789+-.e"[crc % 14];
  for (int i = 0; i < STATES; i++) crc = crc16(crc, words[i]);
  return crc;
}

static void prepare(void) {
  static const char *const words[] = {
      "5012", "-874", "+122", "35.54400", ".1234500", "-110.700", "5.500e+3", "-.123e-2",
  };
  for (int i = 0; i < ITEMS; i++) {
    items[i] = (struct Item){i + 1 < ITEMS ? &items[i + 1] : NULL, (int16_t)random64(), (int16_t)i};
  }
  head = items;
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      left[i][j] = (int16_t)(random64() & 0xff);
      right[i][j] = (int16_t)(random64() & 0xff);
    }
  }
  for (char *at = text; at < text + TEXT;) {
    for (const char *from = words[random64() & 7]; *from && at < text + TEXT; from++) *at++ = *from;
    if (at < text + TEXT) *at++ = ',';
  }
}

uint64_t kernel(void) {
  if (!head) prepare();
  uint16_t crc = (uint16_t)random64();
  for (int pass = 0; pass < PASSES; pass++) {
    crc = testList(crc);
    crc = testMatrix(crc);
    crc = testStates(crc);
  }
  return crc;
}
