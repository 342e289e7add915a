// Sockets between guest and host for a test: vsock connect PORT, vsock listen PORT.
#include <sys/socket.h>

#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void copy_all(int from, int to) {
  static char buffer[65536];
  ssize_t got;
  while ((got = read(from, buffer, sizeof buffer)) > 0)
    for (ssize_t at = 0, put; at < got; at += put)
      if ((put = write(to, buffer + at, got - at)) < 0) exit(4);
  if (got < 0) exit(5);
}

int main(int argc, char **argv) {
  if (argc != 3) return 1;
  int listens = strcmp(argv[1], "listen") == 0;
  int s = socket(AF_VSOCK, SOCK_STREAM, 0);
  struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_port = atoi(argv[2])};
  address.svm_cid = listens ? VMADDR_CID_ANY : VMADDR_CID_HOST;
  if (!listens) {
    if (connect(s, (void *)&address, sizeof address) != 0) return perror("connect"), 2;
    // What is on stdin, its end, and then all that comes back.
    copy_all(0, s);
    shutdown(s, SHUT_WR);
    copy_all(s, 1);
    return 0;
  }
  if (bind(s, (void *)&address, sizeof address) != 0 || listen(s, 8) != 0) return perror("listen"), 3;
  for (;;) { // an echo, one client after another
    int client = accept(s, 0, 0);
    copy_all(client, client);
    close(client);
  }
}
