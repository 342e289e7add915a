// The bootargs: items divided by ";", an item is words divided by spaces, a word is key=value.
// The first word of an item says what it is: a setting (control=, poweroff=) or a workload (console=, block=, timer=,
// load=, calibrate=); the others are its parameters. Strict: what is not understood, or said twice, ends the run.
// Tables are arrays of characters, not pointers: an image that may run anywhere holds no absolute address.
#include "workload.h"

enum Key {
  KEY_CONSOLE,
  KEY_BLOCK,
  KEY_TIMER,
  KEY_LOAD,
  KEY_CALIBRATE,
  KEY_CONTROL,
  KEY_POWEROFF,
  KEY_OP,
  KEY_WAIT,
  KEY_VERIFY, // the keys up to here take a word, those below a number
  KEY_BYTES,
  KEY_CHUNK,
  KEY_BS,
  KEY_COUNT,
  KEY_SEED,
  KEY_OFFSET,
  KEY_PERIOD,
  KEY_BURST,
  KEY_WORK,
  KEYS,
};
enum { MAX_CHOICES = 8, NAME = 10 };

static const char keyNames[KEYS][NAME] = {"console", "block", "timer", "load", "calibrate", "control", "poweroff", "op",     "wait", "verify",
                                          "bytes",   "chunk", "bs",    "count", "seed",     "offset",  "period",   "burst", "work"};

static const char choices[KEY_BYTES][MAX_CHOICES][NAME] = {
    [KEY_CONSOLE] = {"uart", "virtio", "dbcn", "putchar"},
    [KEY_BLOCK] = {"nvme", "virtio"},
    [KEY_TIMER] = {"clint", "sbi", "sstc"},
    [KEY_LOAD] = {"none", "null", "unknown", "dbcn", "disk", "host", "register", "flood"},
    [KEY_CALIBRATE] = {"markers"},
    [KEY_CONTROL] = {"auto", "dbcn", "sbi", "uart"},
    [KEY_POWEROFF] = {"auto", "srst", "finisher"},
    [KEY_OP] = {"read", "randread", "write", "randwrite"},
    [KEY_WAIT] = {"irq", "poll"},
    [KEY_VERIFY] = {"no", "yes"},
};

#define BIT(key) (1u << (key))
static const u32 parametersOf[KEY_CONTROL] = {
    [KEY_CONSOLE] = BIT(KEY_BYTES) | BIT(KEY_CHUNK) | BIT(KEY_WAIT),
    [KEY_BLOCK] = BIT(KEY_OP) | BIT(KEY_BS) | BIT(KEY_COUNT) | BIT(KEY_SEED) | BIT(KEY_OFFSET) | BIT(KEY_WAIT) | BIT(KEY_VERIFY),
    [KEY_TIMER] = BIT(KEY_COUNT) | BIT(KEY_PERIOD),
    [KEY_LOAD] = BIT(KEY_COUNT) | BIT(KEY_PERIOD) | BIT(KEY_BURST) | BIT(KEY_WORK) | BIT(KEY_SEED),
};

struct Range {
  u64 least, most, multiple;
};
static const struct Range ranges[KEYS] = {
    [KEY_BYTES] = {1, 64 << 20, 1},      [KEY_CHUNK] = {1, MAX_CHUNK, 1},   [KEY_BS] = {512, 256 << 10, 512},
    [KEY_COUNT] = {1, 10000000, 1},      [KEY_SEED] = {1, 0xffffffff, 1},   [KEY_OFFSET] = {0, 1ull << 60, 512},
    [KEY_PERIOD] = {0, 10000000000, 1},  [KEY_BURST] = {0, 1000000, 1},     [KEY_WORK] = {0, 1000000000, 1},
};

static const char *text;
static u32 length, at;

static bool refuse(const char *why, u32 start, u32 end) {
  print("probe: error bootargs: %s: \"%S\" at character %u\n", why, text + start, (u64)(end - start), (u64)start);
  return false;
}

static bool matches(const char *name, u32 start, u32 end) {
  for (u32 i = start; i < end; i++, name++) {
    if (*name == 0 || *name != text[i]) return false;
  }
  return *name == 0;
}

static bool parseNumber(u32 start, u32 end, u64 *value) {
  *value = 0;
  if (start == end || end - start > 18) return false;
  for (u32 i = start; i < end; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    *value = *value * 10 + (u64)(text[i] - '0');
  }
  return true;
}

/// Reads one key=value.
static bool parseWord(enum Key *key, u64 *value) {
  u32 start = at, equals = at;
  while (at < length && text[at] != ' ' && text[at] != ';') at++;
  while (equals < at && text[equals] != '=') equals++;
  if (equals == at) return refuse("not of the form key=value", start, at);
  u32 found = 0;
  while (found < KEYS && !matches(keyNames[found], start, equals)) found++;
  if (found == KEYS) return refuse("unknown key", start, equals);
  *key = found;
  if (found >= KEY_BYTES) {
    struct Range range = ranges[found];
    if (!parseNumber(equals + 1, at, value)) return refuse("not a decimal number", start, at);
    if (*value < range.least || *value > range.most || *value % range.multiple != 0)
      return refuse("number out of range", start, at);
    return true;
  }
  for (u32 i = 0; i < MAX_CHOICES && choices[found][i][0] != 0; i++) {
    *value = i;
    if (matches(choices[found][i], equals + 1, at)) return true;
  }
  return refuse("unknown value", start, at);
}

static void skipSpaces(void) {
  while (at < length && text[at] == ' ') at++;
}

static void begin(struct Workload *workload, enum Key key, u64 device) {
  *workload = (struct Workload){
      .kind = key == KEY_CONSOLE ? WORKLOAD_CONSOLE
              : key == KEY_BLOCK ? WORKLOAD_BLOCK
              : key == KEY_TIMER ? WORKLOAD_TIMER
              : key == KEY_LOAD  ? WORKLOAD_LOAD
                                 : WORKLOAD_CALIBRATE,
      .device = (u32)device,
      // The kernel's own console writes to a virtio-console by polling, everything else waits for interrupts.
      .wait = key == KEY_CONSOLE && device == CONSOLE_VIRTIO ? WAIT_POLL : WAIT_IRQ,
      .operation = BLOCK_READ,
      .verify = 1,
      .bytes = 65536,
      .chunk = 64,
      .blockSize = 4096,
      .count = 1000,
      .seed = 1,
      .offset = 0,
      .period = 1000,
      .burst = 1,
      .work = 0,
  };
}

static void assign(struct Workload *workload, enum Key key, u64 value) {
  if (key == KEY_OP) workload->operation = (u32)value;
  else if (key == KEY_WAIT) workload->wait = (u32)value;
  else if (key == KEY_VERIFY) workload->verify = (u32)value;
  else if (key == KEY_BYTES) workload->bytes = value;
  else if (key == KEY_CHUNK) workload->chunk = value;
  else if (key == KEY_BS) workload->blockSize = value;
  else if (key == KEY_COUNT) workload->count = value;
  else if (key == KEY_SEED) workload->seed = value;
  else if (key == KEY_OFFSET) workload->offset = value;
  else if (key == KEY_PERIOD) workload->period = value;
  else if (key == KEY_BURST) workload->burst = value;
  else workload->work = value;
}

static bool parseItem(struct Plan *plan, u32 *settings) {
  enum Key first, key;
  u64 value;
  u32 start = at;
  if (!parseWord(&first, &value)) return false;
  if (first >= KEY_OP) return refuse("an item begins with a setting or a workload", start, at);
  if (first == KEY_CONTROL || first == KEY_POWEROFF) {
    if ((*settings & BIT(first)) != 0) return refuse("said twice", start, at);
    *settings |= BIT(first);
    *(first == KEY_CONTROL ? &plan->control : &plan->powerOff) = (u32)value;
    skipSpaces();
    return at == length || text[at] == ';' || refuse("a setting takes no parameters", at, at + 1);
  }
  if (plan->count == MAX_WORKLOADS) return refuse("more than 32 workloads", start, at);
  struct Workload *workload = &plan->workloads[plan->count++];
  begin(workload, first, value);
  u32 seen = 0;
  for (skipSpaces(); at < length && text[at] != ';'; skipSpaces()) {
    start = at;
    if (!parseWord(&key, &value)) return false;
    bool call = first == KEY_CONSOLE && workload->device >= CONSOLE_DBCN; // nothing to wait for
    if ((parametersOf[first] & BIT(key)) == 0 || (call && key == KEY_WAIT))
      return refuse("not a parameter of this workload", start, at);
    if ((seen & BIT(key)) != 0) return refuse("said twice", start, at);
    seen |= BIT(key);
    assign(workload, key, value);
  }
  return true;
}

bool bootargsParse(const char *bootargs, u32 bootargsLength, struct Plan *plan) {
  text = bootargs;
  length = bootargsLength;
  at = 0;
  u32 settings = 0;
  do {
    skipSpaces();
    if (at == length) return refuse("an item is missing", at, at);
    if (!parseItem(plan, &settings)) return false;
  } while (at < length && text[at++] == ';');
  if (plan->count == 0) return refuse("no workload", 0, length);
  return true;
}

static enum Key deviceKey(enum WorkloadKind kind) {
  return kind == WORKLOAD_CONSOLE ? KEY_CONSOLE
         : kind == WORKLOAD_BLOCK ? KEY_BLOCK
         : kind == WORKLOAD_TIMER ? KEY_TIMER
         : kind == WORKLOAD_LOAD  ? KEY_LOAD
                                  : KEY_CALIBRATE;
}

const char *kindName(const struct Workload *workload) { return keyNames[deviceKey(workload->kind)]; }
const char *deviceName(const struct Workload *workload) {
  return choices[deviceKey(workload->kind)][workload->device];
}
const char *operationName(u32 operation) { return choices[KEY_OP][operation]; }
const char *waitName(u32 wait) { return choices[KEY_WAIT][wait]; }
