// What passes between two harts: wake-ups, and fences of each other's address translation.
#include "workload.h"

enum { READ_END, WRITE_END };

static int to_other[2], from_other[2];

static void pass_on(int from, int to) {
  char byte;
  if (system_call(SYS_READ, from, (long)&byte, 1, 0, 0, 0) != 1) system_call(SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0);
  must("write", system_call(SYS_WRITE, to, (long)&byte, 1, 0, 0, 0));
}

// Two wake-ups: the other process sleeps on its hart until the byte comes, and so does this one.
static void wake(unsigned long count) {
  for (; count > 0; count--) {
    system_call(SYS_WRITE, to_other[WRITE_END], (long)"", 1, 0, 0, 0);
    char byte;
    if (system_call(SYS_READ, from_other[READ_END], (long)&byte, 1, 0, 0, 0) != 1) fail("the other process ended", 0);
  }
}

steps *prepare_wake(void) {
  must("pipe", system_call(SYS_PIPE2, (long)to_other, 0, 0, 0, 0, 0));
  must("pipe", system_call(SYS_PIPE2, (long)from_other, 0, 0, 0, 0, 0));
  enum { SIGCHLD = 17 };
  if (must("clone", system_call(SYS_CLONE, SIGCHLD, 0, 0, 0, 0, 0)) == 0) {
    // The other end is this process's alone, so that its end ends the loop.
    system_call(SYS_CLOSE, to_other[WRITE_END], 0, 0, 0, 0, 0);
    stay_on(1);
    for (;;) pass_on(to_other[READ_END], from_other[WRITE_END]);
  }
  stay_on(0);
  return wake;
}

static volatile char *shared;
static volatile int has_touched;

static void touch(void) {
  stay_on(1);
  shared[1] = 1;
  has_touched = 1;
  for (;;) sleep_ms(999);
}

// Takes the right to write away from a page that another hart may have in its TLB, and gives it back.
static void fence(unsigned long count) {
  enum { PROT_READ = 1, PROT_READ_WRITE = 3 };
  for (; count > 0; count--) {
    shared[0] = 1;
    must("mprotect", system_call(SYS_MPROTECT, (long)shared, PAGE, PROT_READ, 0, 0, 0));
    must("mprotect", system_call(SYS_MPROTECT, (long)shared, PAGE, PROT_READ_WRITE, 0, 0, 0));
  }
}

steps *prepare_fence(void) {
  enum { STACK = 4 * PAGE, THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 }; // CLONE_VM, FS, FILES, SIGHAND, THREAD
  shared = memory(PAGE);
  shared[0] = 1;
  char *stack = memory(STACK);
  must("clone", start_thread(THREAD, stack + STACK, touch));
  stay_on(0);
  while (!has_touched) sleep_ms(1);
  return fence;
}
