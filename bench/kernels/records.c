// The mix of an old systems program: records are copied and linked, strings copied and
// compared, small procedures called with pointers to results, arrays indexed twice.
#include "kernel.h"

enum { ROUNDS = 2000, TEXT = 30, ROWS = 50 };
enum Kind { FIRST, SECOND, THIRD, FOURTH };

struct Record {
  struct Record *partner;
  enum Kind kind, other;
  int32_t number;
  char text[TEXT + 1];
};

static struct Record records[2];
static struct Record *current;
static char letter;
static int32_t vector[ROWS], table[ROWS][ROWS];

// Calls are what this is about.
#define PROCEDURE __attribute__((noinline)) static

PROCEDURE void copyText(char *to, const char *from) {
  while ((*to++ = *from++)) {
  }
}

PROCEDURE int compareText(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (uint8_t)*a - (uint8_t)*b;
}

PROCEDURE enum Kind kindOf(char a, char b) {
  if (a != b) return FIRST;
  letter = a;
  return SECOND;
}

PROCEDURE void add(int32_t a, int32_t b, int32_t *sum) { *sum = a + 2 + b; }

PROCEDURE int isLater(const char *a, const char *b) {
  int32_t at = 2;
  while (at <= 2 && kindOf(a[at], b[at + 1]) == FIRST) at++;
  return at > 2 && compareText(a, b) > 0;
}

PROCEDURE enum Kind follow(enum Kind kind, int32_t number) {
  switch (kind) {
    case FIRST: return number > 100 ? FIRST : FOURTH;
    case SECOND: return THIRD;
    case THIRD: return SECOND;
    default: return FIRST;
  }
}

PROCEDURE void pass(struct Record *record) {
  struct Record *partner = record->partner;
  *partner = *record;
  record->number = 5;
  partner->number = record->number;
  partner->partner = record->partner;
  if (partner->kind == FIRST) {
    partner->number = 6;
    partner->other = follow(record->other, partner->number);
    add(partner->number, 10, &partner->number);
  } else {
    *record = *partner;
  }
}

PROCEDURE void fill(int32_t row, int32_t value) {
  vector[row] = value;
  vector[row + 1] = vector[row];
  vector[row + 30 < ROWS ? row + 30 : 0] = row;
  for (int32_t column = row; column <= row + 1; column++) table[row][column] = row;
  table[row][row - 1]++;
  table[(row + 20) % ROWS][row] = vector[row];
}

static int32_t round(int32_t number) {
  char first[TEXT + 1], second[TEXT + 1];
  copyText(first, "THE RECORDS' FIRST STRING");
  copyText(second, number & 3 ? "THE RECORDS' OTHER STRING" : "THE RECORDS' FIRST SONG");
  int32_t sum = isLater(first, second) ? 7 : 3;
  for (int32_t low = 2; low < 5; low++) add(low, sum, &sum);
  fill(1 + number % (ROWS - 2), sum);
  pass(current);
  for (char c = 'A'; c <= 'D'; c++) {
    if (current->kind == kindOf(c, 'C')) {
      copyText(second, "THE RECORDS' THIRD STRING");
      sum += number;
    }
  }
  sum = sum * 7 / 3 - compareText(first, second);
  current->other = follow(current->other, sum);
  return sum + current->partner->number;
}

uint64_t kernel(void) {
  records[0] = (struct Record){.partner = &records[1], .kind = FIRST, .other = THIRD, .number = 40};
  records[1] = (struct Record){.partner = &records[0]};
  current = records;
  copyText(records[0].text, "THE RECORDS' SHARED STRING");
  uint64_t sum = random64() & 0xff;
  for (int32_t i = 0; i < ROUNDS; i++) sum = sum * 3 + (uint32_t)round(i) + (uint8_t)letter;
  return sum + (uint32_t)table[8][7] + (uint8_t)records[1].text[5];
}
