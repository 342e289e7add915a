// The control console: one line goes out in one piece, so that a host can act on whole lines.
// Over DBCN a line is one hypercall; over legacy SBI putchar and the UART it is one call or store a byte.
#include "console.h"
#include "machine.h"
#include "sbi.h"
#include <stdarg.h>

static enum Control control; // CONTROL_AUTO until chosen
static u8 line[512];
static u64 used;

bool controlChoose(enum Control wanted) {
  bool sbi = !machine.machineMode;
  if (wanted == CONTROL_AUTO) {
    if (sbi && sbiHasDebugConsole()) wanted = CONTROL_DBCN;
    else if (machine.uart != 0) wanted = CONTROL_UART;
    else wanted = CONTROL_SBI;
  }
  if (wanted == CONTROL_UART ? !uartStart() : !sbi) return false;
  if (wanted == CONTROL_DBCN && !sbiHasDebugConsole()) return false;
  control = wanted;
  return true;
}

const char *controlName(void) {
  if (control == CONTROL_DBCN) return "dbcn";
  return control == CONTROL_SBI ? "sbi" : "uart";
}

static void flush(void) {
  if (control == CONTROL_DBCN) {
    for (u64 at = 0; at < used;) {
      long taken = sbiDebugConsoleWrite(line + at, used - at);
      if (taken < 0) break;
      at += (u64)taken;
    }
  } else if (control == CONTROL_SBI) {
    for (u64 at = 0; at < used; at++) sbiPutchar(line[at]);
  } else if (control == CONTROL_UART) {
    uartWritePolled(line, used);
  }
  used = 0;
}

/// A line that is too long loses its middle, never its end.
static void put(char byte) {
  if (used == sizeof line) used--;
  line[used++] = (u8)byte;
}

static void putNumber(u64 value, u32 base, u32 digits) {
  char reversed[20];
  u32 count = 0;
  do {
    u32 digit = (u32)(value % base);
    reversed[count++] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    value /= base;
  } while (value != 0 || count < digits);
  while (count > 0) put(reversed[--count]);
}

void print(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  for (; *format != 0; format++) {
    if (*format != '%') {
      put(*format);
      continue;
    }
    switch (*++format) {
    case 's':
      for (const char *text = va_arg(arguments, const char *); *text != 0; text++) put(*text);
      break;
    case 'S': {
      const char *text = va_arg(arguments, const char *);
      u64 length = va_arg(arguments, u64);
      for (u64 i = 0; i < length && i < 64; i++) put(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
      break;
    }
    case 'u':
      putNumber(va_arg(arguments, u64), 10, 1);
      break;
    case 'x':
      put('0');
      put('x');
      putNumber(va_arg(arguments, u64), 16, 1);
      break;
    case 'k':
      putNumber(va_arg(arguments, u64), 16, 8);
      break;
    default:
      put(*format);
    }
  }
  va_end(arguments);
  if (used > 0 && line[used - 1] == '\n') flush();
}
