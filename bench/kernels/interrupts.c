// Computes while the UART interrupts, or with TIMER the machine timer: each interrupt goes to a
// log for the host, at LOG, whose first doubleword counts them: the time of one of the UART's, by
// how much one of the timer's is late. Ends after COUNT of them.
#include "kernel.h"

enum { UART_RBR = 0, UART_IER = 1, IER_DATA = 1, UART_SOURCE = 10 };
static volatile uint8_t *const uart = (volatile uint8_t *)0x10000000;
static volatile uint32_t *const priority = (volatile uint32_t *)0x0c000000;
static volatile uint32_t *const enabled = (volatile uint32_t *)0x0c002000;
static volatile uint32_t *const claim = (volatile uint32_t *)0x0c200004;

static volatile uint64_t *const mtimecmp = (volatile uint64_t *)0x02004000;

#define LOG ((volatile uint64_t *)0x80800000)
#define CSR_SET(name, bits) __asm__ volatile("csrs " #name ", %0" ::"r"((uint64_t)(bits)) : "memory")

/** 0.1 to 0.9 ms from now, at no fixed distance. */
static void setTimer(uint64_t now) {
  static uint64_t bits = 1;
  bits = bits * 6364136223846793005 + 1442695040888963407;
  *mtimecmp = now + 1000 + (bits >> 51);
}

static void __attribute__((interrupt("machine"), aligned(4))) handler(void) {
  uint64_t now;
  __asm__ volatile("rdtime %0" : "=r"(now));
  uint64_t count = LOG[0] + 1;
  if (TIMER) {
    LOG[count] = now - *mtimecmp;
    setTimer(now);
  } else {
    uint32_t source = *claim;
    (void)uart[UART_RBR];
    *claim = source;
    LOG[count] = now;
  }
  LOG[0] = count;
}

/** Something to interrupt: a table of CRCs, over and over. */
static uint64_t work(uint64_t seed) {
  static uint32_t table[4096];
  for (uint32_t i = 0; i < 4096; i++) {
    uint32_t crc = i ^ (uint32_t)seed;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
    table[i] += crc;
  }
  return table[seed & 4095];
}

uint64_t kernel(void) {
  LOG[0] = 0;
  __asm__ volatile("csrw mtvec, %0" ::"r"(handler));
  if (TIMER) {
    uint64_t now;
    __asm__ volatile("rdtime %0" : "=r"(now));
    setTimer(now);
    CSR_SET(mie, 1 << 7);
  } else {
    priority[UART_SOURCE] = 1;
    enabled[0] = 1 << UART_SOURCE;
    uart[UART_IER] = IER_DATA;
    CSR_SET(mie, 1 << 11);
  }
  CSR_SET(mstatus, 1 << 3);
  uint64_t sum = 0;
  while (LOG[0] < COUNT) sum += work(sum);
  return 0;
}
