// Waits for input in a method, so that a test can look at its stack.

#include <string>
#include <unistd.h>

namespace acme {

static volatile int result;

__attribute__((noinline)) static void ask()
{
	char byte;
	result = read(0, &byte, 1);
}

template <typename T> struct Client {
	__attribute__((noinline)) void fetch(const std::string &path, T count)
	{
		ask(); // the call site
		result += path.size() + count;
	}
};

} // namespace acme

int main()
{
	acme::Client<int>().fetch("/quote", 1);
}
