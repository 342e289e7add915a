// CRC-32 (reflected, polynomial 0xEDB88320) of 64 KiB, a table look-up a byte.
#include "kernel.h"

enum { SIZE = 65536 };
static uint32_t table[256];
static uint8_t data[SIZE];

static void prepare(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; bit++) remainder = (remainder >> 1) ^ (-(remainder & 1) & 0xedb88320);
    table[byte] = remainder;
  }
  for (size_t i = 0; i < SIZE; i++) data[i] = (uint8_t)random64();
}

uint64_t kernel(void) {
  if (table[1] == 0) prepare();
  uint32_t crc = 0xffffffff;
  for (const uint8_t *p = data; p < data + SIZE; p++) crc = table[(uint8_t)crc ^ *p] ^ (crc >> 8);
  data[crc % SIZE]++; // the next round has other data
  return ~crc;
}
