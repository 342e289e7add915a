// The wall clock: asked of a clock chip, and read as programs do, by the kernel's function in the vDSO.
#include "workload.h"

static int chip;

static void ask_chip(unsigned long count) {
  enum { RTC_RD_TIME = 0x80247009 };
  int time[9];
  for (; count > 0; count--) must("RTC_RD_TIME", system_call(SYS_IOCTL, chip, RTC_RD_TIME, (long)time, 0, 0, 0));
}

steps *prepare_rtc(void) {
  chip = must("open", system_call(SYS_OPENAT, AT_FDCWD, (long)argument(0), O_RDONLY, 0, 0, 0));
  return ask_chip;
}

// ELF-64 (System V gABI), as much of it as the vDSO needs.
typedef struct {
  char ident[16];
  unsigned short type, machine;
  unsigned version;
  unsigned long entry, segments, sections;
  unsigned flags;
  unsigned short size, segment_size, segment_count;
} header;
typedef struct {
  unsigned type, flags;
  unsigned long offset, address, physical, file_size, memory_size, align;
} segment;
typedef struct {
  unsigned name;
  unsigned char info, other;
  unsigned short section;
  unsigned long value, size;
} symbol;
enum { PT_LOAD = 1, PT_DYNAMIC = 2, DT_HASH = 4, DT_STRTAB = 5, DT_SYMTAB = 6, AT_SYSINFO_EHDR = 33 };

typedef int gettime(int clock, long time[2]);
static gettime *get_time;

static void read_time(unsigned long count) {
  enum { CLOCK_REALTIME = 0 };
  long time[2];
  for (; count > 0; count--) get_time(CLOCK_REALTIME, time);
}

static int names(const char *text, const char *wanted) {
  while (*text != 0 && *text == *wanted) text++, wanted++;
  return *text == *wanted;
}

steps *prepare_time(void) {
  char *image = (char *)auxiliary(AT_SYSINFO_EHDR);
  if (image == 0) fail("the kernel gives no vDSO", 0);
  const header *head = (const header *)image;
  const segment *segments = (const segment *)(image + head->segments);
  unsigned long base = 0;
  const unsigned long *dynamic = 0;
  for (int i = 0; i < head->segment_count; i++) {
    if (segments[i].type == PT_LOAD) base = (unsigned long)image + segments[i].offset - segments[i].address;
    if (segments[i].type == PT_DYNAMIC) dynamic = (const unsigned long *)(image + segments[i].offset);
  }
  const unsigned *hash = 0;
  const char *strings = 0;
  const symbol *symbols = 0;
  for (; dynamic != 0 && dynamic[0] != 0; dynamic += 2) {
    if (dynamic[0] == DT_HASH) hash = (const unsigned *)(base + dynamic[1]);
    if (dynamic[0] == DT_STRTAB) strings = (const char *)(base + dynamic[1]);
    if (dynamic[0] == DT_SYMTAB) symbols = (const symbol *)(base + dynamic[1]);
  }
  if (hash == 0 || strings == 0 || symbols == 0) fail("the vDSO has no symbols", 0);
  // The table's second word is the number of symbols.
  for (unsigned i = 0; i < hash[1]; i++)
    if (names(strings + symbols[i].name, "__vdso_clock_gettime")) get_time = (gettime *)(base + symbols[i].value);
  if (get_time == 0) fail("the vDSO has no clock_gettime", 0);
  return read_time;
}
