// Fibonacci by recursion: calls, returns and stack frames.
#include "kernel.h"

// Without inlining of the recursion into itself: each step is a call.
__attribute__((noinline, optimize("no-optimize-sibling-calls", "no-inline"))) static uint64_t fib(uint64_t n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint64_t kernel(void) { return fib(24); }
