"""A client with thirty long polls, and their server, which responds after 2 to 6 × `--idle`, in one process.

Every fifth of `--idle`, one more poll times out after half a second, because the application has its result by then.

--leak   abandons the poll that timed out without closing its connection, 25 times
"""

import http.client
import random
import time

import zoo

OPTIONS = zoo.arguments(("polls", 30))
given_up = []


def open_poll(seconds, timeout):
    connection = http.client.HTTPConnection("127.0.0.1", zoo.PORT + 1, timeout=timeout)
    connection.request("GET", f"/after?s={seconds:.3f}")
    return connection


def poll_for_ever():
    while True:
        connection = open_poll(random.uniform(2, 6) * zoo.IDLE, timeout=None)
        try:
            connection.getresponse().read()
        finally:
            connection.close()


def main():
    for _ in range(OPTIONS.polls):
        zoo.in_thread(poll_for_ever)
    while True:
        connection = open_poll(zoo.IDLE, timeout=0.5)
        try:
            connection.getresponse()
        except TimeoutError:
            pass
        if OPTIONS.leak:
            given_up.append(connection)
            zoo.event(zoo.IDLE + zoo.KEEP)
            if len(given_up) == zoo.LEAKS:
                zoo.forever()
        else:
            connection.close()
        time.sleep(zoo.PACE)


main()
