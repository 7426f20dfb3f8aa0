"""A client of PORT + 1 that reads long responses slowly, in one process.

Eight readers read 16 KiB of an endless response and work on it for between a third of `--idle` and
2.5 × `--idle`, repeatedly. Every fifth of `--idle`, one more stream is opened, of which only the status is needed.

--leak   does not close 25 of the latter streams, and keeps them in a list
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
    # The first pause is the longest, so that no pause is three times as long as an earlier one.
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
