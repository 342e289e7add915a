// workload NAME WARM COUNT PARTS [ARGUMENT...]: does WARM operations, then COUNT in PARTS parts.
//
// Descriptor 3 gets a byte at the beginning, twice between the warm operations and the others,
// and after each part: whoever watches takes its counters there. The first says nothing (it pays
// for what later ones find loaded); from the second to the third nothing is done, so that is what
// a byte costs.
#include "workload.h"

enum { MARKS = 3, FIRST_ARGUMENT = 5 };

static long argc;
static char **argv;

long must(const char *what, long result) {
  if (result < 0) fail(what, -result);
  return result;
}

static unsigned long length(const char *text) {
  unsigned long n = 0;
  while (text[n] != 0) n++;
  return n;
}

static void say(const char *text) { system_call(SYS_WRITE, 2, (long)text, length(text), 0, 0, 0); }

void fail(const char *why, long number) {
  char digits[24];
  int at = sizeof digits - 1;
  digits[at] = 0;
  unsigned long left = number < 0 ? -number : number;
  do digits[--at] = '0' + left % 10;
  while ((left /= 10) != 0);
  say("workload: ");
  say(why);
  say(": error ");
  say(digits + at);
  say("\n");
  system_call(SYS_EXIT_GROUP, 1, 0, 0, 0, 0, 0);
}

static unsigned long decimal(const char *text) {
  unsigned long value = 0;
  if (*text == 0) fail("an empty number", 0);
  for (; *text != 0; text++) {
    if (*text < '0' || *text > '9' || value > 1000000000000) fail("not a number", 0);
    value = 10 * value + (*text - '0');
  }
  return value;
}

const char *argument(int index) {
  if (FIRST_ARGUMENT + index >= argc) fail("an argument is missing", index);
  return argv[FIRST_ARGUMENT + index];
}

unsigned long number(int index) { return decimal(argument(index)); }

unsigned long auxiliary(unsigned long type) {
  char **entry = argv + argc + 1;
  while (*entry != 0) entry++; // the environment
  for (unsigned long *pair = (unsigned long *)(entry + 1); pair[0] != 0; pair += 2)
    if (pair[0] == type) return pair[1];
  return 0;
}

void *memory(unsigned long bytes) {
  enum { PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS = 0x22 };
  return (void *)must("mmap", system_call(SYS_MMAP, 0, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0));
}

void stay_on(int hart) {
  unsigned long mask = 1ul << hart;
  must("sched_setaffinity", system_call(SYS_SCHED_SETAFFINITY, 0, sizeof mask, (long)&mask, 0, 0, 0));
}

void sleep_ms(long milliseconds) {
  long time[2] = {0, milliseconds * 1000000};
  system_call(SYS_NANOSLEEP, (long)time, 0, 0, 0, 0, 0);
}

static void mark(void) { must("descriptor 3", system_call(SYS_WRITE, MARKS, (long)".", 1, 0, 0, 0)); }

static int is(const char *text, const char *other) {
  while (*text != 0 && *text == *other) text++, other++;
  return *text == *other;
}

static steps *prepare(const char *name) {
  if (is(name, "wake")) return prepare_wake();
  if (is(name, "fence")) return prepare_fence();
  if (is(name, "rtc")) return prepare_rtc();
  if (is(name, "time")) return prepare_time();
  if (is(name, "seed")) return prepare_seed();
  if (is(name, "balloon")) return prepare_balloon();
  if (is(name, "read")) return prepare_read();
  if (is(name, "open")) return prepare_open();
  if (is(name, "udp")) return prepare_udp();
  if (is(name, "vsock-send")) return prepare_vsock_send();
  if (is(name, "vsock-echo")) return prepare_vsock_echo();
  fail("no such workload", 0);
  return 0;
}

void start(long *stack) {
  argc = stack[0];
  argv = (char **)(stack + 1);
  if (argc < FIRST_ARGUMENT) fail("write workload NAME WARM COUNT PARTS", 0);
  unsigned long warm = decimal(argv[2]), count = decimal(argv[3]), parts = decimal(argv[4]);
  if (parts == 0) fail("no parts", 0);

  steps *step = prepare(argv[1]);
  mark();
  if (warm > 0) step(warm);
  mark();
  mark();
  for (unsigned long part = 0; part < parts; part++) {
    step(count * (part + 1) / parts - count * part / parts);
    mark();
  }
  system_call(SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0);
}

// What the compiler may call for by itself.
void *memset(void *to, int byte, unsigned long count) {
  for (unsigned char *at = to; count > 0; count--) *at++ = byte;
  return to;
}

void *memcpy(void *to, const void *from, unsigned long count) {
  const unsigned char *source = from;
  for (unsigned char *at = to; count > 0; count--) *at++ = *source++;
  return to;
}
