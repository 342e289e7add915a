// Linked lists: 4,096 nodes in random order are searched, summed, reversed and split.
#include "kernel.h"

enum { COUNT = 4096 };
struct Node {
  struct Node *next;
  uint64_t value;
};
static struct Node nodes[COUNT];
static struct Node *head;

static void prepare(void) {
  static uint16_t order[COUNT];
  for (size_t i = 0; i < COUNT; i++) order[i] = (uint16_t)i;
  for (size_t i = COUNT - 1; i > 0; i--) {
    size_t j = random64() % (i + 1);
    uint16_t swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  for (size_t i = 0; i < COUNT; i++) {
    nodes[order[i]].value = i * 3 + 1;
    nodes[order[i]].next = i + 1 < COUNT ? &nodes[order[i + 1]] : NULL;
  }
  head = &nodes[order[0]];
}

static struct Node *reverse(struct Node *list) {
  struct Node *done = NULL;
  while (list) {
    struct Node *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

static uint64_t find(const struct Node *list, uint64_t value) {
  uint64_t steps = 0;
  for (; list && list->value != value; list = list->next) steps++;
  return steps;
}

/** Moves nodes with odd values behind the others, each part in its order. */
static struct Node *split(struct Node *list) {
  struct Node *even = NULL, *odd = NULL, **evenEnd = &even, **oddEnd = &odd;
  for (; list; list = list->next) {
    struct Node ***end = list->value & 1 ? &oddEnd : &evenEnd;
    **end = list;
    *end = &list->next;
  }
  *oddEnd = NULL;
  *evenEnd = odd;
  return even;
}

uint64_t kernel(void) {
  if (!head) prepare();
  uint64_t sum = 0;
  for (int search = 0; search < 8; search++) sum += find(head, random64() % (3 * COUNT));
  head = reverse(head);
  for (struct Node *n = head; n; n = n->next) {
    n->value += sum & 1;
    sum = sum * 3 + n->value;
  }
  head = split(head);
  return sum;
}
