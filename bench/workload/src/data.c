// Random numbers, memory and files.
#include "workload.h"

// A KiB: 16 bits a read of the CSR (Zkr, seed.OPST is ES16 in the two highest bits).
static void seed(unsigned long count) {
  enum { READS = 512, ES16 = 2 };
  for (; count > 0; count--)
    for (int i = 0; i < READS;) {
      unsigned long value;
      __asm__ volatile("csrrw %0, 0x015, x0" : "=r"(value));
      i += (value >> 30 & 3) == ES16;
    }
}

steps *prepare_seed(void) { return seed; }

// The kernel's answer to sysinfo(2).
typedef struct {
  long uptime;
  unsigned long loads[3], total, free, shared, buffers, swap, free_swap;
  unsigned short processes, pad;
  unsigned long high, free_high;
  unsigned unit;
  char rest[64];
} information;

static unsigned long free_at_first;
static int inflates;

static unsigned long free_pages(void) {
  information now;
  must("sysinfo", system_call(SYS_SYSINFO, (long)&now, 0, 0, 0, 0, 0));
  return now.free * now.unit / PAGE;
}

// Waits until the balloon has taken or given so many pages, as it is told to when the window begins. Some pages
// are in the processor's own list, which counts as used.
static void await_balloon(unsigned long count) {
  enum { SLACK = 256, PATIENCE_MS = 60000 };
  for (int waited = 0; waited < PATIENCE_MS; waited++) {
    unsigned long now = free_pages();
    unsigned long moved = inflates ? free_at_first - now : now - free_at_first;
    if ((long)moved >= (long)count - SLACK) return;
    sleep_ms(1);
  }
  fail("the balloon stands still", 0);
}

steps *prepare_balloon(void) {
  inflates = argument(0)[0] == 'i';
  free_at_first = free_pages();
  return await_balloon;
}

static const char *path;
static int file;
static char *buffer;
static unsigned long block, size, at;

// Blocks of a file one after another, past the page cache, and again from its beginning.
static void read_blocks(unsigned long count) {
  for (; count > 0; count--) {
    long got = must("read", system_call(SYS_PREAD64, file, (long)buffer, block, at, 0, 0));
    if (got != (long)block) fail("the file is short", got);
    at += block;
    if (at + block > size) at = 0;
  }
}

// FILE BLOCK SIZE; a SIZE of 0 stands for a stream.
static void read_stream(unsigned long count) {
  for (; count > 0; count--)
    for (unsigned long left = block; left > 0;)
      left -= must("read", system_call(SYS_READ, file, (long)buffer, left, 0, 0, 0));
}

steps *prepare_read(void) {
  block = number(1);
  size = number(2);
  buffer = memory(block);
  file = must("open", system_call(SYS_OPENAT, AT_FDCWD, (long)argument(0), O_RDONLY | (size > 0 ? O_DIRECT : 0), 0, 0, 0));
  return size > 0 ? read_blocks : read_stream;
}

static void open_and_read(unsigned long count) {
  for (; count > 0; count--) {
    int opened = must("open", system_call(SYS_OPENAT, AT_FDCWD, (long)path, O_RDONLY | O_DIRECT, 0, 0, 0));
    must("read", system_call(SYS_PREAD64, opened, (long)buffer, PAGE, 0, 0, 0));
    must("close", system_call(SYS_CLOSE, opened, 0, 0, 0, 0, 0));
  }
}

steps *prepare_open(void) {
  path = argument(0);
  buffer = memory(PAGE);
  return open_and_read;
}
