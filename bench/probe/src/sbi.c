// SBI calls: a7 = extension id, a6 = function id, a0-a5 arguments; error in a0, value in a1 (SBI 2.0, "Binary Encoding").
// Used: Base (probe), Debug Console, Timer, System Reset, Paravane's null call; the legacy Console Putchar and Shutdown.
#include "sbi.h"

enum Extension {
  LEGACY_PUTCHAR = 0x01,
  LEGACY_SHUTDOWN = 0x08,
  BASE = 0x10,
  TIME = 0x54494d45,
  DBCN = 0x4442434e,
  SRST = 0x53525354,
  PARAVANE = 0x0a005056,
  HOST = 0x0a000001,
  NOBODYS = 0x09ffffff, // in the range of vendors that none has
};

static struct SbiResult sbiCall(u64 extension, u64 function, u64 argument0, u64 argument1, u64 argument2) {
  register u64 a0 __asm__("a0") = argument0;
  register u64 a1 __asm__("a1") = argument1;
  register u64 a2 __asm__("a2") = argument2;
  register u64 a6 __asm__("a6") = function;
  register u64 a7 __asm__("a7") = extension;
  __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
  return (struct SbiResult){(long)a0, (long)a1};
}

static bool hasExtension(u64 extension) {
  struct SbiResult result = sbiCall(BASE, 3, extension, 0, 0);
  return result.error == 0 && result.value != 0;
}

bool sbiHasDebugConsole(void) { return hasExtension(DBCN); }
bool sbiHasTime(void) { return hasExtension(TIME); }
bool sbiHasReset(void) { return hasExtension(SRST); }

long sbiDebugConsoleWrite(const u8 *bytes, u64 length) {
  struct SbiResult result = sbiCall(DBCN, 0, length, (u64)bytes, 0);
  return result.error != 0 ? result.error : result.value;
}

bool sbiNull(void) { return sbiCall(PARAVANE, 0, 0, 0, 0).error == 0; }
bool sbiHost(void) { return sbiCall(HOST, 0, 0, 0, 0).error == 0; }
bool sbiUnknown(void) { return sbiCall(NOBODYS, 0, 0, 0, 0).error != 0; }

void sbiPutchar(u8 byte) { sbiCall(LEGACY_PUTCHAR, 0, byte, 0, 0); }
void sbiSetTimer(u64 deadline) { sbiCall(TIME, 0, deadline, 0, 0); }
void sbiShutdown(bool failure) { sbiCall(SRST, 0, 0, failure ? 1 : 0, 0); }
void sbiLegacyShutdown(void) { sbiCall(LEGACY_SHUTDOWN, 0, 0, 0, 0); }
