"""A client whose connections only Python's cycle collector closes.

Each connection is part of a reference cycle and is dropped at once. The collector runs once per 1.75 × `--idle`,
and closes what was dropped, old and new. (If it ran less often, many would be dead for longer than
`--idle` before its first run, and nothing could distinguish them from leaked ones.)

--leak   two of three are also in a list that is never emptied: 24 of 36 connections leak
"""

import gc
import http.client
import time

import zoo

OPTIONS = zoo.arguments()
LEAK_OF = 36
kept = []


class Call:
    def __init__(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", zoo.PORT + 1)
        self.connection.request("GET", "/bytes?n=200")
        self.response = self.connection.getresponse()
        self.response.read()
        self.callback = self.finished

    def finished(self):
        return self.response.isclosed()


def collect():
    while True:
        time.sleep(1.75 * zoo.IDLE)
        gc.collect()


def main():
    gc.disable()
    zoo.in_thread(collect)
    count = 0
    while True:
        call = Call()
        count += 1
        if OPTIONS.leak and count <= LEAK_OF and count % 3:
            kept.append(call)
            zoo.event(zoo.KEEP)
        if OPTIONS.leak and count == LEAK_OF:
            # The next collection closes the rest; then 24 remain.
            del call
            zoo.forever()
        time.sleep(zoo.PACE)


main()
