/* The reference: executes F and D instructions on records from standard input.
 * In:  u32 operation, u32 (accrued flags << 8 | rounding mode), u64 a, b, c.
 * Out: u64 result, u64 accrued flags. Cases come from operations.ts. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct in {
  uint32_t operation, control;
  uint64_t a, b, c;
};
struct out {
  uint64_t result, flags;
};

#define LOAD_s "fmv.w.x ft0, %[a]\n\tfmv.w.x ft1, %[b]\n\tfmv.w.x ft2, %[c]\n\t"
#define LOAD_d "fmv.d.x ft0, %[a]\n\tfmv.d.x ft1, %[b]\n\tfmv.d.x ft2, %[c]\n\t"
#define LOAD_w ""
#define LOAD_x ""
#define STORE_s "fmv.x.w %[r], ft3\n\tslli %[r], %[r], 32\n\tsrli %[r], %[r], 32\n\t"
#define STORE_d "fmv.x.d %[r], ft3\n\t"
#define STORE_i ""
#define CASE(number, operands, result, instruction)                                   \
  case number:                                                                        \
    __asm__ volatile("fscsr %[control]\n\t" LOAD_##operands instruction "\n\t"        \
                     STORE_##result "frflags %[f]"                                    \
                     : [r] "=&r"(r), [f] "=&r"(f)                                     \
                     : [control] "r"(control), [a] "r"(i->a), [b] "r"(i->b), [c] "r"(i->c) \
                     : "ft0", "ft1", "ft2", "ft3");                                   \
    break;

static struct in input[4096];
static struct out output[4096];

int main(void) {
  size_t count;
  while ((count = fread(input, sizeof *input, 4096, stdin)) > 0) {
    for (size_t k = 0; k < count; k++) {
      const struct in *i = &input[k];
      uint64_t control = (i->control & 0xff) << 5 | i->control >> 8;
      uint64_t r, f;
      switch (i->operation) {
#include "cases.h"
        default:
          fprintf(stderr, "operation %u is unknown\n", i->operation);
          return 1;
      }
      output[k] = (struct out){r, f};
    }
    if (fwrite(output, sizeof *output, count, stdout) != count) return 1;
  }
  return 0;
}
