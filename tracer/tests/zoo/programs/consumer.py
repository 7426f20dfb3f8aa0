"""Consumers with prefetch, and, with `--broker`, their broker on PORT + 1.

The broker sends a consumer up to 20 messages of 2 kB that it has not acknowledged yet. A consumer reads a message, works
on it for 0.2 to 2.5 × `--idle`, acknowledges it, and reads the next: the others stay unread in its socket. Every fifth
of `--idle`, one more consumer reads one message, fails, and is replaced.

--leak   the connection of a consumer that failed is kept and not closed, 25 times
"""

import argparse
import socket
import time

import zoo

SIZE = 2000
PREFETCH = 20
CONSUMERS = 8
kept = []


def feed(connection):
    try:
        connection.sendall(b"m" * SIZE * PREFETCH)
        while connection.recv(1):
            connection.sendall(b"m" * SIZE)
    except OSError:
        pass
    connection.close()


def broker():
    listener = socket.create_server(("127.0.0.1", zoo.PORT + 1), backlog=128)
    while True:
        connection, _ = listener.accept()
        zoo.in_thread(feed, connection)


def take(connection):
    left = SIZE
    while left:
        left -= len(connection.recv(left))


def connect():
    return socket.create_connection(("127.0.0.1", zoo.PORT + 1))


def consume():
    connection = connect()
    # The longest pause is the first, so that no pause is three times as long as an earlier one.
    pauses = (2.5 * zoo.IDLE, 2.5 * zoo.IDLE)
    while True:
        take(connection)
        zoo.between(*pauses)
        connection.sendall(b"a")
        pauses = (0.2 * zoo.IDLE, 2.5 * zoo.IDLE)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--broker", action="store_true")
    parser.add_argument("--leak", action="store_true")
    options = parser.parse_args()
    if options.broker:
        broker()
    for _ in range(CONSUMERS):
        zoo.in_thread(consume)
        zoo.between(0, zoo.PACE)
    while True:
        connection = connect()
        take(connection)
        if options.leak:
            kept.append(connection)
            zoo.event()
            if len(kept) == zoo.LEAKS:
                zoo.forever()
        else:
            connection.close()
        time.sleep(zoo.PACE)


main()
