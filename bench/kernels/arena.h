// Memory that is taken piece by piece and given back all at once.
#pragma once
#include "kernel.h"

struct Arena {
  uint8_t *next, *end;
};

static inline void *take(struct Arena *arena, size_t size) {
  size = (size + 15) & ~(size_t)15;
  // A kernel knows how much it needs: this is a mistake in it.
  if (size > (size_t)(arena->end - arena->next)) __builtin_trap();
  void *piece = arena->next;
  arena->next += size;
  return piece;
}
