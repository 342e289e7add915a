// What a program of a guest does with /dev/paravane: one call a line, printed as it came back.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "paravane_ioctl.h"

static int device;

static struct paravane_request request(unsigned eid, unsigned fid, unsigned long long argument)
{
	struct paravane_request it = { .eid = eid, .fid = fid, .args = { argument } };

	it.in_arg = PARAVANE_NO_BUFFER;
	it.out_arg = PARAVANE_NO_BUFFER;
	return it;
}

static void make(const char *name, struct paravane_request *it)
{
	if (ioctl(device, PARAVANE_CALL, it) != 0)
		printf("%s: errno %d\n", name, errno);
	else
		printf("%s: %lld %llu\n", name, (long long)it->error, (unsigned long long)it->value);
}

int main(void)
{
	struct paravane_request it;
	static char text[300000], reversed[300000];

	device = open("/dev/paravane", O_RDWR);
	if (device < 0) {
		perror("/dev/paravane");
		return 1;
	}
	it = request(0x0a005056, 0, 0);
	make("null", &it);
	it = request(0x0a000001, 0, 21);
	make("double", &it);
	it = request(0x0a000001, 2, 8);
	make("later", &it);
	it = request(0x0a000001, 3, 0);
	make("denied", &it);
	it = request(0x0a000009, 0, 0);
	make("unknown", &it);
	it = request(0x53525354, 0, 0);
	make("system reset", &it);
	it = request(0x0a005056, 1, 0);
	make("multicall", &it);

	memset(text, 'a', sizeof(text));
	memcpy(text, "hello", 5);
	it = request(0x0a000001, 1, 0);
	it.in = (unsigned long)text;
	it.in_bytes = sizeof(text);
	it.in_arg = 0;
	it.out = (unsigned long)reversed;
	it.out_bytes = sizeof(reversed);
	it.out_arg = 2;
	make("reverse", &it);
	printf("%.5s %llu\n", reversed + sizeof(reversed) - 5, (unsigned long long)it.args[0]);
	it.out_arg = 1;
	make("overlapping buffers", &it);
	it.out_arg = 5;
	make("a buffer without a register", &it);
	it.out_arg = 2;
	it.in_bytes = 2 << 20;
	make("a large buffer", &it);
	it.in_bytes = 8;
	it.in = 8;
	make("a buffer that is not there", &it);
	printf("another ioctl: %d %d\n", ioctl(device, PARAVANE_CALL + 1, &it), errno);
	return 0;
}
