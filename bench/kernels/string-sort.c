// Quicksort of pointers to 4,096 strings with common beginnings: byte compares behind two
// loads, calls, unpredictable branches.
#include "kernel.h"

enum { COUNT = 4096, LONGEST = 24, FEW = 12 };
static char strings[COUNT][LONGEST + 1];
static const char *order[COUNT];

static void prepare(void) {
  static const char *const beginnings[] = {"", "inter", "intermediate-", "under", "understand-", "re", "a", "the-"};
  for (int i = 0; i < COUNT; i++) {
    uint64_t bits = random64();
    char *at = strings[i];
    for (const char *from = beginnings[bits & 7]; *from; from++) *at++ = *from;
    for (uint64_t length = 3 + (bits >> 3) % 8; length > 0; length--) {
      bits = bits * 6364136223846793005 + 1442695040888963407;
      *at++ = (char)('a' + (bits >> 60));
    }
    *at = 0;
    order[i] = strings[i];
  }
}

static int compare(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (uint8_t)*a - (uint8_t)*b;
}

static void swap(const char **a, const char **b) {
  const char *old = *a;
  *a = *b;
  *b = old;
}

static void insertionSort(const char **from, const char **to) {
  for (const char **next = from + 1; next < to; next++) {
    const char *string = *next, **at = next;
    for (; at > from && compare(string, at[-1]) < 0; at--) *at = at[-1];
    *at = string;
  }
}

static void quicksort(const char **from, const char **to) {
  while (to - from > FEW) {
    // The median of three goes to the front and divides the others.
    const char **middle = from + (to - from) / 2, **last = to - 1;
    if (compare(*middle, *from) < 0) swap(middle, from);
    if (compare(*last, *from) < 0) swap(last, from);
    if (compare(*last, *middle) < 0) swap(last, middle);
    swap(from, middle);
    const char *pivot = *from, **left = from, **right = to;
    for (;;) {
      do left++;
      while (left < to && compare(*left, pivot) < 0);
      do right--;
      while (compare(*right, pivot) > 0);
      if (left >= right) break;
      swap(left, right);
    }
    swap(from, right);
    // The smaller part by a call, so that the stack stays small; the larger by going round.
    if (right - from < to - right) {
      quicksort(from, right);
      from = right + 1;
    } else {
      quicksort(right + 1, to);
      to = right;
    }
  }
  insertionSort(from, to);
}

uint64_t kernel(void) {
  if (!order[0]) prepare();
  for (size_t i = COUNT - 1; i > 0; i--) swap(&order[i], &order[random64() % (i + 1)]);
  quicksort(order, order + COUNT);
  uint64_t sum = 0;
  for (int i = 0; i < COUNT; i++) sum = sum * 31 + (uint64_t)(order[i] - strings[0]);
  return sum;
}
