# Where Linux starts the program: sp points at argc, argv, the environment and the auxiliary vector.
.globl _start
_start:
.option push
.option norelax
  la gp, __global_pointer$
.option pop
  mv a0, sp
  andi sp, sp, -16
  tail start

# long system_call(number, a, b, c, d, e, f)
.globl system_call
system_call:
  mv a7, a0
  mv a0, a1
  mv a1, a2
  mv a2, a3
  mv a3, a4
  mv a4, a5
  mv a5, a6
  ecall
  ret

# long start_thread(flags, stack, function): the thread runs function(), which must not return.
.globl start_thread
start_thread:
  mv t0, a2
  li a2, 0
  li a3, 0
  li a4, 0
  li a7, 220
  ecall
  bnez a0, 1f
  jr t0
1:
  ret
