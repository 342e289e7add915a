// NS16550A UART (National Semiconductor PC16550D data sheet, section 8 "Registers"): output only.
// Two drivers in one: polled, as a kernel's printk does, one LSR read a byte; and with the transmitter-empty interrupt,
// as a tty does, sixteen bytes an interrupt. Left out: reception, modem lines, register spacing other than one byte.
#include "console.h"
#include "machine.h"

enum Register { THR = 0, IER = 1, FCR = 2, IIR = 2, LCR = 3, MCR = 4, LSR = 5, DLL = 0, DLM = 1 };
enum {
  IER_THRE = 1 << 1,
  FCR_ENABLE_AND_CLEAR = 7,
  IIR_NONE = 1 << 0,
  LCR_8N1 = 3,
  LCR_DLAB = 1 << 7,
  MCR_DTR_RTS_OUT2 = 0xb,
  LSR_THRE = 1 << 5,
  LSR_TEMT = 1 << 6,
  FIFO_BYTES = 16,
  DIVISOR = 2, // 115,200 baud of a 3.6864 MHz clock
};

static bool started;
static const u8 *pending;
static u64 pendingLength;
static volatile bool sent;

static u8 get(enum Register reg) { return read8(machine.uart + reg); }
static void set(enum Register reg, u8 value) { write8(machine.uart + reg, value); }

static void transmitInterrupt(void) {
  while ((get(IIR) & IIR_NONE) == 0) {
    if ((get(LSR) & LSR_THRE) == 0) break;
    u32 room = FIFO_BYTES;
    while (room > 0 && pendingLength > 0) {
      set(THR, *pending++);
      pendingLength--;
      room--;
    }
    if (pendingLength == 0) {
      set(IER, 0);
      sent = true;
      break;
    }
  }
}

bool uartStart(void) {
  if (machine.uart == 0) return false;
  if (started) return true;
  set(IER, 0);
  set(LCR, LCR_DLAB);
  set(DLL, DIVISOR);
  set(DLM, 0);
  set(LCR, LCR_8N1);
  set(FCR, FCR_ENABLE_AND_CLEAR);
  set(MCR, MCR_DTR_RTS_OUT2);
  started = true;
  return true;
}

void uartAttach(void) { plicAttach(machine.uartSource, transmitInterrupt); }

void uartWritePolled(const u8 *bytes, u64 length) {
  for (u64 i = 0; i < length; i++) {
    while ((get(LSR) & LSR_THRE) == 0) continue;
    set(THR, bytes[i]);
  }
}

void uartWriteInterrupts(const u8 *bytes, u64 length) {
  pending = bytes;
  pendingLength = length;
  sent = false;
  set(IER, IER_THRE); // with an empty transmitter the interrupt comes at once
  waitForInterrupt(&sent);
}

void uartDrain(void) {
  while ((get(LSR) & LSR_TEMT) == 0) continue;
}
