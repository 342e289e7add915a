// An interpreter within: a stack machine with a switch counts the steps of Collatz
// sequences. Indirect jumps that change their target all the time.
#include "kernel.h"

enum Op { PUSH, LOAD, STORE, ADD, MUL, SHR, AND, LESS, JUMP, JUMP_IF_ZERO, END };
enum Variable { START, N, STEPS, LIMIT };

// for (start = 1; start < limit; start++)
//   for (n = start; n != 1; steps++) n = n & 1 ? 3 * n + 1 : n >> 1;
static const uint8_t program[] = {
    /*  0 */ PUSH, 1, STORE, START, PUSH, 0, STORE, STEPS,
    /*  8 */ LOAD, START, LOAD, LIMIT, LESS, 0, JUMP_IF_ZERO, 78,
    /* 16 */ LOAD, START, STORE, N,
    /* 20 */ PUSH, 1, LOAD, N, LESS, 0, JUMP_IF_ZERO, 68,
    /* 28 */ LOAD, N, PUSH, 1, AND, 0, JUMP_IF_ZERO, 50,
    /* 36 */ PUSH, 3, LOAD, N, MUL, 0, PUSH, 1, ADD, 0, STORE, N, JUMP, 58,
    /* 50 */ LOAD, N, PUSH, 1, SHR, 0, STORE, N,
    /* 58 */ LOAD, STEPS, PUSH, 1, ADD, 0, STORE, STEPS, JUMP, 20,
    /* 68 */ LOAD, START, PUSH, 1, ADD, 0, STORE, START, JUMP, 8,
    /* 78 */ END, 0,
};

static uint64_t run(uint64_t limit) {
  uint64_t variables[4] = {[LIMIT] = limit};
  uint64_t stack[16], *top = stack;
  const uint8_t *pc = program;
  for (;;) {
    const uint8_t op = pc[0], operand = pc[1];
    pc += 2;
    switch (op) {
      case PUSH: *top++ = operand; break;
      case LOAD: *top++ = variables[operand]; break;
      case STORE: variables[operand] = *--top; break;
      case ADD: top--; top[-1] += *top; break;
      case MUL: top--; top[-1] *= *top; break;
      case SHR: top--; top[-1] >>= *top; break;
      case AND: top--; top[-1] &= *top; break;
      case LESS: top--; top[-1] = top[-1] < *top; break;
      case JUMP: pc = program + operand; break;
      case JUMP_IF_ZERO: if (*--top == 0) pc = program + operand; break;
      default: return variables[STEPS];
    }
  }
}

uint64_t kernel(void) { return run(100 + random64() % 8); }
