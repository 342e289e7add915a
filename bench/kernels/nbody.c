// Gravity between eight bodies: add, multiply, divide and square root of doubles.
#include "kernel.h"

enum { BODIES = 8, STEPS = 100 };
static struct {
  double position[3], velocity[3], mass;
} bodies[BODIES];

static void prepare(void) {
  for (int i = 0; i < BODIES; i++) {
    for (int k = 0; k < 3; k++) {
      bodies[i].position[k] = (double)(int64_t)random64() * 0x1p-60;
      bodies[i].velocity[k] = (double)(int64_t)random64() * 0x1p-66;
    }
    bodies[i].mass = 0.125 + (double)(random64() >> 12) * 0x1p-52;
  }
}

static void step(double dt) {
  for (int i = 0; i < BODIES; i++) {
    for (int j = i + 1; j < BODIES; j++) {
      double distance[3], square = 0.01; // keeps two that meet from flying apart
      for (int k = 0; k < 3; k++) {
        distance[k] = bodies[i].position[k] - bodies[j].position[k];
        square += distance[k] * distance[k];
      }
      const double pull = dt / (square * __builtin_sqrt(square));
      for (int k = 0; k < 3; k++) {
        bodies[i].velocity[k] -= distance[k] * bodies[j].mass * pull;
        bodies[j].velocity[k] += distance[k] * bodies[i].mass * pull;
      }
    }
  }
  for (int i = 0; i < BODIES; i++) {
    for (int k = 0; k < 3; k++) bodies[i].position[k] += dt * bodies[i].velocity[k];
  }
}

uint64_t kernel(void) {
  if (bodies[0].mass == 0) prepare();
  for (int i = 0; i < STEPS; i++) step(0.001);
  uint64_t sum = 0;
  for (int i = 0; i < BODIES; i++) sum = sum * 3 + bitsOf(bodies[i].position[i % 3]);
  return sum;
}
