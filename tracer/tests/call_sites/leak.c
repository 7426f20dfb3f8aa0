/* Opens and accepts connections and never closes them, each in a separate function, whose stack
 * the tests look for. Reads commands line by line and answers each with "ok" and a number.
 *
 *     connect PORT           in leak_one
 *     connect-other PORT     in leak_other
 *     connect-thread PORT    in leak_one, on a new thread
 *     connect-nested PORT    in leak_inlined, which the compiler may inline
 *     listen                 the number is the port
 *     accept                 in accept_one
 */
#include <pthread.h>
#include <string.h>

#include "../loopback.h"

#define FUNCTION __attribute__((noinline)) static

static int listener;

FUNCTION int leak_one(int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	check(connect(fd, (struct sockaddr *)&address, sizeof address), "connect"); /* leak_one */
	return fd;
}

FUNCTION int leak_other(int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	check(connect(fd, (struct sockaddr *)&address, sizeof address), "connect"); /* leak_other */
	return fd;
}

static inline __attribute__((always_inline)) int leak_inlined(int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	check(connect(fd, (struct sockaddr *)&address, sizeof address), "connect"); /* leak_inlined */
	return fd;
}

FUNCTION int leak_nested(int port)
{
	return leak_inlined(port) + 1;
}

FUNCTION int accept_one(void)
{
	int fd = accept(listener, NULL, NULL); /* accept_one */
	check(fd, "accept");
	return fd;
}

static void *on_a_thread(void *argument)
{
	int *port = argument;
	*port = leak_one(*port);
	return NULL;
}

FUNCTION int leak_on_a_thread(int port)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, on_a_thread, &port) != 0 || pthread_join(thread, NULL) != 0)
		exit(1);
	return port;
}

static int listen_anywhere(void)
{
	struct sockaddr_in address = loopback(0);
	socklen_t length = sizeof address;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	check(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
	check(listen(listener, 100), "listen");
	check(getsockname(listener, (struct sockaddr *)&address, &length), "getsockname");
	return ntohs(address.sin_port);
}

static int perform(const char *command, int port)
{
	if (strcmp(command, "connect") == 0)
		return leak_one(port);
	if (strcmp(command, "connect-other") == 0)
		return leak_other(port);
	if (strcmp(command, "connect-thread") == 0)
		return leak_on_a_thread(port);
	if (strcmp(command, "connect-nested") == 0)
		return leak_nested(port) - 1;
	if (strcmp(command, "listen") == 0)
		return listen_anywhere();
	if (strcmp(command, "accept") == 0)
		return accept_one();
	fprintf(stderr, "not a command: %s\n", command);
	exit(1);
}

int main(void)
{
	char line[100], command[100];
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin) != NULL) {
		int port = 0;
		if (sscanf(line, "%99s %d", command, &port) < 1)
			continue;
		printf("ok %d\n", perform(command, port));
		fflush(stdout);
	}
	return 0;
}
