/* A client in C: it connects, sends a request, and looks at the status. Every fifth of --idle the status is 500.
 *
 * leak: the return on the error path, which is taken 25 times, does not close the file descriptor. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LEAKS = 25, KEEP_S = 5 };

static int leaking;

static int check(int port, const char *path)
{
	char text[4096];
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		exit(1);
	int size = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: zoo\r\n\r\n", path);
	if (write(fd, text, size) != size)
		exit(1);
	ssize_t got = read(fd, text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = 0;
	if (strstr(text, " 500 ")) {
		if (!leaking)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static void event(void)
{
	char draft[4096], path[4096];
	struct timespec now;

	snprintf(draft, sizeof(draft), "%s/last-event.draft", getenv("DIR"));
	snprintf(path, sizeof(path), "%s/last-event", getenv("DIR"));
	clock_gettime(CLOCK_REALTIME, &now);
	FILE *file = fopen(draft, "w");
	if (!file)
		exit(1);
	fprintf(file, "%lld.%03ld\n", (long long)now.tv_sec + KEEP_S, now.tv_nsec / 1000000);
	fclose(file);
	rename(draft, path);
}

int main(int argc, char **argv)
{
	int port = atoi(getenv("PORT")) + 1;
	useconds_t quarter = (useconds_t)(atof(getenv("IDLE")) / 20 * 1e6);
	int count = 0;

	leaking = argc > 1 && !strcmp(argv[1], "leak");
	for (;;) {
		for (int i = 0; i < 3; i++) {
			check(port, "/bytes");
			usleep(quarter);
		}
		if (!leaking || count < LEAKS) {
			check(port, "/error");
			if (leaking) {
				count++;
				event();
			}
		}
		usleep(quarter);
	}
}
