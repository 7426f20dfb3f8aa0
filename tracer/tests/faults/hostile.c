/* Leaks connections, and is as difficult to inspect as a process can be. Reads commands line
 * by line and answers each with "ok" and a number.
 *
 *     connect PORT             in leak_one
 *     connect-generated PORT   in generated code at 0x200000000000
 *     load PATH                loads a library
 *     connect-library PORT     in leak_in_library of that library
 *     files NUMBER             opens more files
 *     threads NUMBER           starts threads that wait
 *     duplicates NUMBER        opens a socket and duplicates its file descriptor
 *     end-main-thread 0        goes on in another thread
 *     scribble NUMBER          starts threads in poll(), whose arrays change all the time
 *     hide-tmp                 mounts a file system that never responds over /tmp, for this process
 *     hang-tmp                 does so with an overlay on top of it: who opens a file waits, and cannot
 *                              be killed
 *     user NUMBER              changes to this user
 *
 * With -DLIBRARY it is that library; with -DRECURSING its debug information refers to itself.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../loopback.h"

typedef int (*Connect)(int, const struct sockaddr *, socklen_t);

#ifdef LIBRARY
#define LEAK leak_in_library
#else
#define LEAK leak_one
#endif

__attribute__((noinline, used)) int LEAK(int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	check(connect(fd, (struct sockaddr *)&address, sizeof address), "connect");
	return fd;
}

#ifndef LIBRARY

#ifdef RECURSING
/* A function that is specified by itself, and in it 100,000 nested calls, each inlined from itself. */
__asm__(
	".pushsection .debug_abbrev,\"\",@progbits\n"
	".uleb128 1, 0x11\n .byte 1\n .uleb128 0x11, 1, 0x12, 7, 0x3, 8, 0, 0\n"
	".uleb128 2, 0x2e\n .byte 1\n .uleb128 0x11, 1, 0x12, 7, 0x47, 0x13, 0, 0\n"
	".uleb128 3, 0x1d\n .byte 1\n .uleb128 0x31, 0x13, 0x11, 1, 0x12, 7, 0, 0\n"
	".uleb128 0\n"
	".popsection\n"
	".pushsection .debug_info,\"\",@progbits\n"
	"1: .long 3f - 2f\n"
	"2: .short 4\n .long 0\n .byte 8\n"
	".uleb128 1\n .quad leak_one\n .quad 0x1000\n .asciz \"hostile.c\"\n"
	"4: .uleb128 2\n .quad leak_one\n .quad 0x1000\n .long 4b - 1b\n"
	".rept 100000\n"
	"5: .uleb128 3\n .long 5b - 1b\n .quad leak_one\n .quad 0x1000\n"
	".endr\n"
	".rept 100002\n .byte 0\n .endr\n"
	"3:\n"
	".popsection\n");
#endif

#ifdef __x86_64__
/* Calls its first argument with the other three, and keeps a frame pointer. */
static const unsigned char GENERATED[] = {
	0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6,
	0x48, 0x89, 0xca, 0xff, 0xd0, 0x5d, 0xc3,
};

static int leak_generated(int port)
{
	static int (*generated)(Connect, long, const struct sockaddr *, long);
	if (!generated) {
		void *place = (void *)0x200000000000;
		int protection = PROT_READ | PROT_WRITE | PROT_EXEC;
		void *page = mmap(place, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		check(page == MAP_FAILED ? -1 : 0, "mmap");
		memcpy(page, GENERATED, sizeof GENERATED);
		generated = page;
	}
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	check(generated(connect, fd, (struct sockaddr *)&address, sizeof address), "connect");
	return fd;
}
#else
static int leak_generated(int port)
{
	return LEAK(port);
}
#endif

static int (*leak_in_library)(int);

static int load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	leak_in_library = library ? (int (*)(int))dlsym(library, "leak_in_library") : NULL;
	check(leak_in_library ? 0 : -1, "dlopen");
	return 0;
}

static int open_files(int count)
{
	struct rlimit limit;
	check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	for (int number = 0; number < count; number++)
		check(open("/dev/null", O_RDONLY), "open");
	return count;
}

static void *wait_for_ever(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static struct pollfd polled[4096];

static void *poll_for_ever(void *argument)
{
	for (;;)
		poll(polled, 4096, 1000);
	return argument;
}

static void *scribble(void *argument)
{
	for (unsigned number = 0;; number++) {
		polled[number % 4096].fd = 3 + number % 4000;
		polled[number % 4096].events = POLLIN;
	}
	return argument;
}

static int start_threads(int count, void *(*function)(void *))
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 96 << 10);
	for (int number = 0; number < count; number++) {
		pthread_t thread;
		if (pthread_create(&thread, &attributes, function, NULL) != 0)
			return number;
	}
	return count;
}

static int hide_tmp(void)
{
	char options[100];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	check(fuse, "/dev/fuse");
	check(unshare(CLONE_NEWNS), "unshare");
	check(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount /");
	sprintf(options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	check(mount("hang", "/tmp", "fuse.hang", MS_NOSUID | MS_NODEV, options), "mount /tmp");
	return fuse;
}

/* Responds to what mounting an overlay takes. It reads other requests and never responds to them:
 * from then on, the kernel waits for the response even if the process is killed. It exits when the
 * other end of the pipe is closed; a signal from a parent with another user would be refused. */
static void serve_directory(int fuse, int lifeline)
{
	static char request[1 << 18] __attribute__((aligned(8)));
	const struct fuse_in_header *in = (const struct fuse_in_header *)request;
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION };
	struct fuse_statfs_out statfs = { .st = { .bsize = 4096, .namelen = 255 } };
	struct fuse_attr_out attr = { .attr = { .ino = 1, .nlink = 1, .mode = S_IFDIR | 0755 } };
	struct pollfd ready[] = { { .fd = fuse, .events = POLLIN }, { .fd = lifeline } };
	init.max_write = 4096;
	while (poll(ready, 2, -1) > 0 && !ready[1].revents && read(fuse, request, sizeof request) > 0) {
		struct fuse_out_header out = { .unique = in->unique };
		struct iovec parts[] = { { &out, sizeof out }, { NULL, 0 } };
		switch (in->opcode) {
		case FUSE_INIT:
			parts[1] = (struct iovec){ &init, sizeof init };
			break;
		case FUSE_STATFS:
			parts[1] = (struct iovec){ &statfs, sizeof statfs };
			break;
		case FUSE_GETATTR:
			parts[1] = (struct iovec){ &attr, sizeof attr };
			break;
		case FUSE_GETXATTR:
			out.error = -ENOSYS;
			break;
		default:
			continue;
		}
		out.len = sizeof out + parts[1].iov_len;
		check(writev(fuse, parts, 2), "write");
	}
	_exit(0);
}

static int hang_tmp(void)
{
	int fuse = hide_tmp(), lifeline[2];
	check(pipe(lifeline), "pipe");
	pid_t server = fork();
	check(server, "fork");
	if (server == 0) {
		close(lifeline[1]);
		serve_directory(fuse, lifeline[0]);
	}
	close(lifeline[0]);
	/* An overlay without an upper directory takes two lower ones. */
	check(mount("overlay", "/tmp", "overlay", MS_RDONLY, "lowerdir=/tmp:/dev"), "mount overlay");
	return 0;
}

static int change_user(int user)
{
	check(setresuid(user, user, user), "setresuid");
	return user;
}

static int duplicate(int count)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in any = loopback(0);
	check(bind(fd, (struct sockaddr *)&any, sizeof any), "bind");
	check(listen(fd, 1), "listen");
	for (int number = 0; number < count; number++)
		check(dup(fd), "dup");
	return count;
}

static int perform(const char *command, const char *argument)
{
	int number = atoi(argument);
	if (strcmp(command, "connect") == 0)
		return leak_one(number);
	if (strcmp(command, "connect-generated") == 0)
		return leak_generated(number);
	if (strcmp(command, "connect-library") == 0)
		return leak_in_library(number);
	if (strcmp(command, "load") == 0)
		return load(argument);
	if (strcmp(command, "files") == 0)
		return open_files(number);
	if (strcmp(command, "threads") == 0)
		return start_threads(number, wait_for_ever);
	if (strcmp(command, "scribble") == 0)
		return start_threads(number, poll_for_ever) + start_threads(1, scribble);
	if (strcmp(command, "duplicates") == 0)
		return duplicate(number);
	if (strcmp(command, "hide-tmp") == 0)
		return hide_tmp();
	if (strcmp(command, "hang-tmp") == 0)
		return hang_tmp();
	if (strcmp(command, "user") == 0)
		return change_user(number);
	fprintf(stderr, "not a command: %s\n", command);
	exit(1);
}

static void *serve(void *argument)
{
	char line[5000], command[100], text[4100];
	while (fgets(line, sizeof line, stdin) != NULL) {
		text[0] = 0;
		if (sscanf(line, "%99s %4099s", command, text) < 1)
			continue;
		if (strcmp(command, "end-main-thread") == 0) {
			start_threads(1, serve);
			puts("ok 0");
			fflush(stdout);
			pthread_exit(NULL);
		}
		printf("ok %d\n", perform(command, text));
		fflush(stdout);
	}
	exit(0);
	return argument;
}

int main(void)
{
	puts("ready");
	fflush(stdout);
	serve(NULL);
}
#endif
