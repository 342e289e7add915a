// Console workloads: `bytes` of text in writes of `chunk`, each finished before the next.
// The text is lines of 63 characters and a newline: byte `at` is character (at / 64 + at) % 75 of '0' to 'z'. Its last
// byte is a newline whatever the length, so that the end marker begins a line even on the console that is measured.
#include "checksum.h"
#include "console.h"
#include "sbi.h"
#include "workload.h"

enum { LINE = 64, FIRST_CHARACTER = '0', CHARACTERS = 75, PERIOD = 15 * LINE }; // 15 * 65 is a multiple of 75

// Filled before the measured window, so that making text costs nothing in it: a write begins within the first period.
static u8 text[PERIOD + MAX_CHUNK];

static u8 textByte(u64 at, u64 bytes) {
  if (at % LINE == LINE - 1 || at == bytes - 1) return '\n';
  return (u8)(FIRST_CHARACTER + (at / LINE + at) % CHARACTERS);
}

/// An SBI call is over when it returns: there is nothing to wait for.
static bool isCall(const struct Workload *workload) {
  return workload->device == CONSOLE_DBCN || workload->device == CONSOLE_PUTCHAR;
}

static const char *startDevice(const struct Workload *workload) {
  switch (workload->device) {
  case CONSOLE_UART:
    if (!uartStart()) return "no ns16550a in the device tree";
    if (workload->wait == WAIT_IRQ) uartAttach();
    return NULL;
  case CONSOLE_VIRTIO: {
    const char *wrong = virtioConsoleStart();
    if (wrong == NULL) virtioConsoleInterrupts(workload->wait == WAIT_IRQ);
    return wrong;
  }
  case CONSOLE_DBCN:
    return !machine.machineMode && sbiHasDebugConsole() ? NULL : "no SBI debug console";
  default:
    return machine.machineMode ? "no SBI: this run is in M-mode" : NULL;
  }
}

static bool writeChunk(const struct Workload *workload, const u8 *chunk, u32 length) {
  switch (workload->device) {
  case CONSOLE_UART:
    if (workload->wait == WAIT_IRQ) uartWriteInterrupts(chunk, length);
    else uartWritePolled(chunk, length);
    return true;
  case CONSOLE_VIRTIO:
    return virtioConsoleWrite(chunk, length);
  case CONSOLE_DBCN:
    for (u32 at = 0; at < length;) {
      long taken = sbiDebugConsoleWrite(chunk + at, length - at);
      if (taken < 0) return false;
      at += (u32)taken;
    }
    return true;
  default:
    for (u32 at = 0; at < length; at++) sbiPutchar(chunk[at]);
    return true;
  }
}

static u32 textChecksum(u64 bytes) {
  u32 sum = CHECKSUM_START;
  for (u64 at = 0; at < bytes; at += 4) {
    u32 word = 0;
    for (u32 i = 0; i < 4 && at + i < bytes; i++) word |= (u32)textByte(at + i, bytes) << i * 8;
    sum = checksumWord(sum, word);
  }
  return sum;
}

u64 runConsole(u32 number, const struct Workload *workload) {
  const char *wrong = startDevice(workload);
  if (wrong != NULL) return reportError(number, workload, wrong);
  u64 errors = 0, ops = 0;
  for (u32 i = 0; i < sizeof text; i++) text[i] = textByte(i, ~0ull);
  measureBegin(number);
  for (u64 at = 0; at < workload->bytes; ops++) {
    u64 left = workload->bytes - at;
    u32 length = (u32)(left < workload->chunk ? left : workload->chunk);
    u8 *chunk = text + at % PERIOD;
    if (length == left) chunk[length - 1] = '\n';
    at += length;
    if (writeChunk(workload, chunk, length)) continue;
    errors++;
    break;
  }
  if (workload->device == CONSOLE_UART) uartDrain();
  struct Measure measure = measureEnd(number);
  if (errors != 0) reportError(number, workload, "the device does not take output");
  print("probe: result %u console %s wait=%s chunk=%u", (u64)number, deviceName(workload),
        isCall(workload) ? "none" : waitName(workload->wait), workload->chunk);
  measurePrint(measure);
  print(" ops=%u bytes=%u errors=%u checksum=%k\n", ops, workload->bytes, errors, (u64)textChecksum(workload->bytes));
  return errors;
}
