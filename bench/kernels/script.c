// A scripting language within: a machine with registers whose values carry their types. It
// sieves primes in an array and calls a function for each that it finds. Each instruction
// jumps to the next by a table of addresses.
#include "arena.h"

enum { LIMIT = 6000, REGISTERS = 64, FRAMES = 8 };

enum Type { NIL, INTEGER, FLOAT, ARRAY };

struct Value {
  enum Type type;
  union {
    int64_t integer;
    double number;
    struct Array *array;
  } is;
};

struct Array {
  int64_t length;
  struct Value values[];
};

enum Op { LOAD, ADD, MULTIPLY, DIVIDE, LESS, IS_NIL, JUMP, NEW, GET, SET, CALL, RETURN };

struct Instruction {
  uint8_t op, a, b, c;
};

/** LOAD's number and JUMP's target lie in b and c. LESS and IS_NIL leave out what follows if they are true. */
#define WIDE(value) (uint8_t)(value), (uint8_t)((value) >> 8)

static const struct Instruction program[] = {
    // r0 limit, r1 crossed out, r2 p, r3 multiple, r4 sum, r5 one, r6 what is looked at and called
    /*  0 */ {LOAD, 0, WIDE(LIMIT)}, {NEW, 1, 0, 0}, {LOAD, 2, WIDE(2)}, {LOAD, 4, WIDE(0)}, {LOAD, 5, WIDE(1)},
    /*  5 */ {LESS, 2, 0, 0}, {JUMP, 0, WIDE(20)},                   // while p < limit
    /*  7 */ {GET, 6, 1, 2}, {IS_NIL, 6, 0, 0}, {JUMP, 0, WIDE(18)}, //   if p is not crossed out
    /* 10 */ {MULTIPLY, 3, 2, 2},                                    //     from p * p on
    /* 11 */ {LESS, 3, 0, 0}, {JUMP, 0, WIDE(16)},                   //     while multiple < limit
    /* 13 */ {SET, 1, 3, 5}, {ADD, 3, 3, 2}, {JUMP, 0, WIDE(11)},    //       cross out, step by p
    /* 16 */ {CALL, 6, 2, 21}, {ADD, 4, 4, 6},                       //     sum += weight(p)
    /* 18 */ {ADD, 2, 2, 5}, {JUMP, 0, WIDE(5)},
    /* 20 */ {RETURN, 4, 0, 0},
    // weight(r0): r0 < 1000 ? r0 * r0 : 1 / r0
    /* 21 */ {LOAD, 1, WIDE(1000)}, {LESS, 0, 1, 0}, {JUMP, 0, WIDE(26)},
    /* 24 */ {MULTIPLY, 2, 0, 0}, {RETURN, 2, 0, 0},
    /* 26 */ {LOAD, 1, WIDE(1)}, {DIVIDE, 2, 1, 0}, {RETURN, 2, 0, 0},
};

struct Frame {
  const struct Instruction *pc;
  struct Value *registers;
};

static struct Value ofInteger(int64_t value) { return (struct Value){INTEGER, {.integer = value}}; }
static struct Value ofNumber(double value) { return (struct Value){FLOAT, {.number = value}}; }
static double toNumber(struct Value value) {
  return value.type == INTEGER ? (double)value.is.integer : value.is.number;
}
static int bothIntegers(struct Value a, struct Value b) { return a.type == INTEGER && b.type == INTEGER; }

static struct Value newArray(struct Arena *arena, int64_t length) {
  struct Array *array = take(arena, sizeof *array + (size_t)length * sizeof(struct Value));
  array->length = length;
  for (int64_t i = 0; i < length; i++) array->values[i].type = NIL;
  return (struct Value){ARRAY, {.array = array}};
}

/** The place of an array's element. A mistake in the program ends it. */
static struct Value *element(struct Value array, struct Value index) {
  if (array.type != ARRAY || index.type != INTEGER) __builtin_trap();
  if ((uint64_t)index.is.integer >= (uint64_t)array.is.array->length) __builtin_trap();
  return &array.is.array->values[index.is.integer];
}

static struct Value run(struct Arena *arena) {
  static const void *const labels[] = {
      [LOAD] = &&load, [ADD] = &&add,   [MULTIPLY] = &&multiply, [DIVIDE] = &&divide,
      [LESS] = &&less, [IS_NIL] = &&isNil, [JUMP] = &&jump,      [NEW] = &&new,
      [GET] = &&get,   [SET] = &&set,   [CALL] = &&call,         [RETURN] = &&return_,
  };
  static struct Value registers[REGISTERS];
  struct Frame frames[FRAMES], *frame = frames;
  struct Value *r = registers;
  const struct Instruction *pc = program;
  struct Instruction i;
#define WIDE_OPERAND (i.b | i.c << 8)
#define NEXT i = *pc++; goto *labels[i.op]
  NEXT;
load:
  r[i.a] = ofInteger(WIDE_OPERAND);
  NEXT;
add:
  if (bothIntegers(r[i.b], r[i.c])) r[i.a] = ofInteger(r[i.b].is.integer + r[i.c].is.integer);
  else r[i.a] = ofNumber(toNumber(r[i.b]) + toNumber(r[i.c]));
  NEXT;
multiply:
  if (bothIntegers(r[i.b], r[i.c])) r[i.a] = ofInteger(r[i.b].is.integer * r[i.c].is.integer);
  else r[i.a] = ofNumber(toNumber(r[i.b]) * toNumber(r[i.c]));
  NEXT;
divide:
  r[i.a] = ofNumber(toNumber(r[i.b]) / toNumber(r[i.c]));
  NEXT;
less:
  if (bothIntegers(r[i.a], r[i.b])) pc += r[i.a].is.integer < r[i.b].is.integer;
  else pc += toNumber(r[i.a]) < toNumber(r[i.b]);
  NEXT;
isNil:
  pc += r[i.a].type == NIL;
  NEXT;
jump:
  pc = program + WIDE_OPERAND;
  NEXT;
new:
  r[i.a] = newArray(arena, r[i.b].is.integer);
  NEXT;
get:
  r[i.a] = *element(r[i.b], r[i.c]);
  NEXT;
set:
  *element(r[i.a], r[i.b]) = r[i.c];
  NEXT;
call:
  // The callee's registers begin where its result is to be.
  if (frame == frames + FRAMES) __builtin_trap();
  *frame++ = (struct Frame){pc, r};
  r[i.a] = r[i.b];
  r += i.a;
  pc = program + i.c;
  NEXT;
return_:
  if (frame == frames) return r[i.a];
  r[0] = r[i.a];
  frame--;
  pc = frame->pc;
  r = frame->registers;
  NEXT;
}

uint64_t kernel(void) {
  static uint8_t memory[(LIMIT + 2) * sizeof(struct Value)];
  struct Arena arena = {memory, memory + sizeof memory};
  return bitsOf(toNumber(run(&arena))) + random64();
}
