// Console workloads: `bytes` of text in writes of `chunk`, each finished before the next.
// The text is lines of 63 characters and a newline; its last byte is a newline whatever the length, so that the end
// marker begins a line even if the console measured is the control console.
#include "checksum.h"
#include "console.h"
#include "sbi.h"
#include "workload.h"

enum { LINE = 64, FIRST_CHARACTER = '0', CHARACTERS = 75 }; // '0' to 'z'

static u8 chunk[MAX_CHUNK];

/// Byte `at` of the text: the alphabet runs on over the ends of lines.
static u8 textByte(u64 at, u64 bytes) {
  if (at % LINE == LINE - 1 || at == bytes - 1) return '\n';
  return (u8)(FIRST_CHARACTER + (at / LINE + at) % CHARACTERS);
}

static const char *startDevice(const struct Workload *workload) {
  switch (workload->device) {
  case CONSOLE_UART:
    return uartStart() ? NULL : "no ns16550a in the device tree";
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

static bool writeChunk(const struct Workload *workload, u32 length) {
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
  measureBegin(number);
  for (u64 at = 0; at < workload->bytes; ops++) {
    u64 left = workload->bytes - at;
    u32 length = (u32)(left < workload->chunk ? left : workload->chunk);
    for (u32 i = 0; i < length; i++) chunk[i] = textByte(at + i, workload->bytes);
    at += length;
    if (writeChunk(workload, length)) continue;
    errors++;
    break;
  }
  if (workload->device == CONSOLE_UART) uartDrain();
  struct Measure measure = measureEnd(number);
  if (errors != 0) reportError(number, workload, "the device does not take output");
  print("probe: result %u console %s wait=%s chunk=%u", (u64)number, deviceName(workload), waitName(workload->wait),
        workload->chunk);
  measurePrint(measure);
  print(" ops=%u bytes=%u errors=%u checksum=%k\n", ops, workload->bytes, errors, (u64)textChecksum(workload->bytes));
  return errors;
}
