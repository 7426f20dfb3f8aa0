/* Connects six times, every 500 ms, to the given port of 127.0.0.1, and never reads. It uses no library,
 * so that any compiler for amd64 can compile it to a 32-bit program. */
struct address {
    unsigned short family, port;
    unsigned int ip;
    unsigned char rest[8];
};

static int call(int number, int first, const void *second) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second) : "memory");
    return result;
}

enum { EXIT = 1, PAUSE = 29, SOCKETCALL = 102, NANOSLEEP = 162, SOCKET = 1, CONNECT = 3 };

void run(char **arguments) {
    unsigned int port = 0;
    for (const char *digit = arguments[1]; *digit; digit++)
        port = port * 10 + (unsigned int)(*digit - '0');
    struct address to = {2, (unsigned short)(port << 8 | port >> 8), 0x0100007f, {0}};
    for (int number = 0; number < 6; number++) {
        unsigned long socket[3] = {2, 1, 0};
        int fd = call(SOCKETCALL, SOCKET, socket);
        unsigned long connection[3] = {(unsigned long)fd, (unsigned long)&to, sizeof to};
        if (fd < 0 || call(SOCKETCALL, CONNECT, connection) != 0)
            call(EXIT, 1, 0);
        long pause[2] = {0, 500000000};
        call(NANOSLEEP, (int)pause, 0);
    }
    for (;;)
        call(PAUSE, 0, 0);
}

__asm__(".globl _start\n_start: lea 4(%esp), %eax\npush %eax\ncall run\n");
