"""A client of PORT + 1 with long responses that it reads in its own time, in one process.

Eight readers take 16 KiB of a response without an end and work between a third of `--idle` and two and a half times
`--idle` on it. Every fifth of `--idle`, one more stream is opened, of which only the status is of interest.

--leak   does not close the streams of which it wanted the status, 25 of them, and keeps them in a list
"""

import http.client
import random
import time

import zoo

OPTIONS = zoo.arguments(("readers", 8))
kept = []


def open_stream():
    connection = http.client.HTTPConnection("127.0.0.1", zoo.PORT + 1)
    connection.request("GET", "/stream?n=16000&every=0.5")
    return connection, connection.getresponse()


def read_slowly():
    _connection, response = open_stream()
    # The first pause is the longest, so that a pause is never three times as long as one before it.
    time.sleep(2.5 * zoo.IDLE)
    while response.read(16000):
        zoo.between(zoo.IDLE / 3, 2.5 * zoo.IDLE)


def main():
    for _ in range(OPTIONS.readers):
        zoo.in_thread(read_slowly)
        time.sleep(random.uniform(0, zoo.IDLE / 5))
    while True:
        connection, response = open_stream()
        if OPTIONS.leak:
            kept.append((connection, response))
            zoo.event()
            if len(kept) == zoo.LEAKS:
                zoo.forever()
        else:
            response.close()
            connection.close()
        time.sleep(zoo.PACE)


main()
