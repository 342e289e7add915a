// Datagrams over a network, and streams to the host through AF_VSOCK.
#include "workload.h"

enum { AF_INET = 2, AF_VSOCK = 40, SOCK_STREAM = 1, SOCK_DGRAM = 2, HOST_CID = 2, BLOCK = 65536 };
// Ethernet, IPv4 and UDP add 42 bytes, and the frame's check sequence 4: a frame of 64.
enum { PAYLOAD = 18 };

static struct {
  unsigned short family, port;
  unsigned char address[4];
  char zero[8];
} to;

static int peer;
static char *buffer;

static void send_datagrams(unsigned long count) {
  for (; count > 0; count--)
    must("sendto", system_call(SYS_SENDTO, peer, (long)buffer, PAYLOAD, 0, (long)&to, sizeof to));
}

// ADDRESS PORT
steps *prepare_udp(void) {
  buffer = memory(PAGE);
  to.family = AF_INET;
  unsigned port = number(1);
  to.port = (unsigned short)(port << 8 | port >> 8);
  const char *text = argument(0);
  for (int i = 0; i < 4; i++) {
    unsigned part = 0;
    while (*text >= '0' && *text <= '9') part = 10 * part + (*text++ - '0');
    to.address[i] = part;
    if (*text == '.') text++;
  }
  peer = must("socket", system_call(SYS_SOCKET, AF_INET, SOCK_DGRAM, 0, 0, 0, 0));
  return send_datagrams;
}

static void connect_host(unsigned port) {
  struct {
    unsigned short family, reserved;
    unsigned port, cid;
    unsigned char flags[4];
  } address = {.family = AF_VSOCK, .port = port, .cid = HOST_CID};
  buffer = memory(BLOCK);
  peer = must("socket", system_call(SYS_SOCKET, AF_VSOCK, SOCK_STREAM, 0, 0, 0, 0));
  must("connect", system_call(SYS_CONNECT, peer, (long)&address, sizeof address, 0, 0, 0));
}

static void send_blocks(unsigned long count) {
  for (; count > 0; count--)
    for (long left = BLOCK; left > 0;) left -= must("write", system_call(SYS_WRITE, peer, (long)buffer, left, 0, 0, 0));
}

steps *prepare_vsock_send(void) {
  connect_host(number(0));
  return send_blocks;
}

static void echo(unsigned long count) {
  for (; count > 0; count--) {
    must("write", system_call(SYS_WRITE, peer, (long)buffer, 1, 0, 0, 0));
    if (must("read", system_call(SYS_READ, peer, (long)buffer, 1, 0, 0, 0)) != 1) fail("no echo", 0);
  }
}

steps *prepare_vsock_echo(void) {
  connect_host(number(0));
  return echo;
}
