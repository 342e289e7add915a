// Binary trees are made, counted and given back, node by node through a free list, beside
// one that stays: short-lived memory, recursion, pointers.
#include "kernel.h"

enum { DEPTH = 12, SMALLEST = 4, NODES = 4 << DEPTH };
struct Node {
  struct Node *left, *right;
  uint64_t value;
};
static struct Node nodes[NODES];
static struct Node *freeNodes;
static struct Node *longLived;

static struct Node *allocate(void) {
  struct Node *node = freeNodes;
  freeNodes = node->left;
  return node;
}

static void release(struct Node *node) {
  node->left = freeNodes;
  freeNodes = node;
}

static struct Node *grow(int depth) {
  struct Node *node = allocate();
  node->value = (uint64_t)depth;
  node->left = depth > 0 ? grow(depth - 1) : NULL;
  node->right = depth > 0 ? grow(depth - 1) : NULL;
  return node;
}

static uint64_t count(const struct Node *node) {
  return node->left ? node->value + 3 * count(node->left) + count(node->right) : 1;
}

static void fell(struct Node *node) {
  if (node->left) {
    fell(node->left);
    fell(node->right);
  }
  release(node);
}

static void prepare(void) {
  // In an order of their own (11 has no divisor in common with NODES): memory has a past.
  for (size_t i = 0; i < NODES; i++) release(&nodes[i * 11 % NODES]);
  longLived = grow(DEPTH);
}

uint64_t kernel(void) {
  if (!longLived) prepare();
  uint64_t sum = 0;
  for (int depth = SMALLEST; depth <= DEPTH; depth += 2) {
    // All depths have the same number of nodes to make.
    for (int trees = 1 << (DEPTH - depth); trees > 0; trees--) {
      struct Node *tree = grow(depth);
      tree->value = random64();
      sum += count(tree);
      fell(tree);
    }
  }
  longLived->value = sum;
  return count(longLived);
}
