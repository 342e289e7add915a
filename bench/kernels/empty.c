// Nothing: what starting and ending a machine costs.
#include "kernel.h"

uint64_t kernel(void) { return 0; }
