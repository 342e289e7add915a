// Load workloads: `count` beats, `period` ticks apart, of `burst` operations and `work` turns of arithmetic each, for
// measuring what one guest costs another. What is reported is how long after its due time a beat has ended, so a beat that
// had to wait for the one before it, or for the host, counts with that wait. With a period of 0 a beat is due when
// the one before it has ended.
//
// Times are kept in a histogram whose buckets are exact below 64 ticks and 1/32 of their value wide above: percentiles are the upper
// ends of their buckets, or the maximum, which is exact.
#include "disk.h"
#include "sbi.h"
#include "timer.h"
#include "workload.h"

enum { EXACT = 64, STEP_BITS = 5, BUCKETS = EXACT + (64 - 6) * (1 << STEP_BITS), MOST_CHUNK = 64, LOAD_BLOCK = 4096 };
// NS16550A: line status register, transmitter holding register empty.
enum { UART_LINE_STATUS = 5, UART_TRANSMITTER_EMPTY = 1 << 5 };

static u32 histogram[BUCKETS];
static const u8 text[MOST_CHUNK] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";

static u32 bucketOf(u64 ticks) {
  if (ticks < EXACT) return (u32)ticks;
  u32 top = 6;
  while (ticks >> top > 1) top++;
  return EXACT + ((top - 6) << STEP_BITS) + (u32)(ticks >> (top - STEP_BITS) & ((1 << STEP_BITS) - 1));
}

static u64 upperEnd(u32 bucket) {
  if (bucket < EXACT) return bucket;
  u32 top = 6 + ((bucket - EXACT) >> STEP_BITS);
  u64 step = (bucket - EXACT) & ((1 << STEP_BITS) - 1);
  return (1ull << top) + ((step + 1) << (top - STEP_BITS)) - 1;
}

/// The value that `permille` of the beats were not above.
static u64 percentile(u64 count, u64 permille, u64 most) {
  u64 wanted = (count * permille + 999) / 1000, seen = 0;
  for (u32 i = 0; i < BUCKETS; i++) {
    seen += histogram[i];
    if (seen >= wanted) return upperEnd(i) < most ? upperEnd(i) : most;
  }
  return most;
}

static enum TimerDevice timer(void) {
  return machine.machineMode ? TIMER_CLINT : machine.sstcListed ? TIMER_SSTC : TIMER_SBI;
}

static const char *start(const struct Workload *workload, struct Disk **disk) {
  if (workload->period != 0 || workload->device == LOAD_FLOOD) {
    const char *wrong = timerStart(timer());
    if (wrong != NULL) return wrong;
  }
  switch (workload->device) {
  case LOAD_NONE:
    return NULL;
  case LOAD_DISK: {
    const char *wrong = virtioBlkStart(disk);
    if (wrong == NULL) virtioBlkInterrupts(true);
    if (wrong == NULL && (*disk)->bytes < LOAD_BLOCK) wrong = "the disk is too small";
    return wrong;
  }
  case LOAD_REGISTER:
    return machine.uart != 0 ? NULL : "no ns16550a in the device tree";
  case LOAD_DBCN:
  case LOAD_FLOOD:
    return !machine.machineMode && sbiHasDebugConsole() ? NULL : "no SBI debug console";
  default:
    return machine.machineMode ? "no SBI: this run is in M-mode" : NULL;
  }
}

/// One operation; false if it fails.
static bool operate(const struct Workload *workload, const struct Disk *disk, u64 *seed) {
  switch (workload->device) {
  case LOAD_NULL:
    return sbiNull();
  case LOAD_UNKNOWN:
    return sbiUnknown();
  case LOAD_DBCN:
    // Past a budget that refuses it writes nothing, which is no failure of the guest's.
    return sbiDebugConsoleWrite(text, sizeof text) != 0;
  case LOAD_HOST:
    return sbiHost();
  case LOAD_REGISTER:
    return (read8(machine.uart + UART_LINE_STATUS) & UART_TRANSMITTER_EMPTY) != 0;
  case LOAD_FLOOD:
    // Past a budget that refuses them calls fail, which is no failure of the guest's.
    sbiNull();
    sbiUnknown();
    sbiDebugConsoleWrite(text, sizeof text);
    timerWait(timer(), readTime());
    return true;
  case LOAD_DISK:
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return virtioBlkTransfer((*seed >> 33) % (disk->bytes / LOAD_BLOCK) * LOAD_BLOCK, LOAD_BLOCK, false) == TRANSFER_DONE;
  default:
    return true;
  }
}

static void arithmetic(u64 turns) {
  u64 value = turns;
  for (u64 i = 0; i < turns; i++) __asm__ volatile("mul %0, %0, %0\n\taddi %0, %0, 7" : "+r"(value));
}

u64 runLoad(u32 number, const struct Workload *workload) {
  struct Disk *disk = NULL;
  const char *wrong = start(workload, &disk);
  if (wrong != NULL) return reportError(number, workload, wrong);
  for (u32 i = 0; i < BUCKETS; i++) histogram[i] = 0;
  u64 errors = 0, most = 0, seed = workload->seed;
  measureBegin(number);
  u64 due = readTime();
  for (u64 beat = 0; beat < workload->count; beat++) {
    if (workload->period == 0) due = readTime();
    else if ((due += workload->period) > readTime()) timerWait(timer(), due);
    for (u64 i = 0; i < workload->burst; i++) {
      if (!operate(workload, disk, &seed)) errors++;
    }
    arithmetic(workload->work);
    u64 took = readTime() - due;
    histogram[bucketOf(took)]++;
    if (took > most) most = took;
  }
  struct Measure measure = measureEnd(number);
  print("probe: result %u load %s burst=%u work=%u count=%u period=%u", (u64)number, deviceName(workload), workload->burst,
        workload->work, workload->count, workload->period);
  measurePrint(measure);
  print(" ops=%u p50=%u p99=%u max=%u errors=%u\n", workload->count * workload->burst,
        percentile(workload->count, 500, most), percentile(workload->count, 990, most), most, errors);
  return errors;
}
