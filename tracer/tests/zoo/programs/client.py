"""Clients, each in a separate process, as in reality. They run until they are killed.

    client.py MODE HOST:PORT [--path PATH] [--count N] [--every SECONDS] [--rate BYTES] [--pause SECONDS]
              [--watch]

idle    a pool of N connections in one process: a line and its echo on each every SECONDS
pool    the same with a GET of PATH on each
slow    downloads PATH at BYTES per second, repeatedly
stall   downloads PATH: reads some, pauses for PAUSE seconds, reads the rest, repeatedly
giveup  GET PATH, waits PAUSE seconds, closes without reading; again after SECONDS
half    sends a line, shuts down its sending side, reads to EOF; again after SECONDS
poll    GET PATH, waits for the response however long it takes, repeatedly
stream  reads an event stream forever

PATH may be an absolute URL, for a forward proxy.
A pool notices that a connection was closed when it uses it again, as urllib3 and most database
drivers do; with --watch at once, as event loops do. The other modes fork N processes.
"""

import argparse
import os
import select
import selectors
import socket
import time


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=600)


def request(connection, arguments, keep="close"):
    host = arguments.address if not arguments.path.startswith("http") else arguments.path.split("/")[2]
    head = f"GET {arguments.path} HTTP/1.1\r\nHost: {host}\r\nConnection: {keep}\r\n\r\n"
    connection.sendall(head.encode())


def slow(connection, arguments):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    request(connection, arguments)
    while connection.recv(max(1, arguments.rate // 4)):
        time.sleep(0.25)


def stall(connection, arguments):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    request(connection, arguments)
    for _ in range(8):
        if not connection.recv(8192):
            return
    time.sleep(arguments.pause)
    while connection.recv(65536):
        pass


def giveup(connection, arguments):
    request(connection, arguments)
    time.sleep(arguments.pause)


def half(connection, arguments):
    connection.sendall(b"hello\n")
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass


def read_all(connection, arguments):
    request(connection, arguments)
    while connection.recv(65536):
        pass


def read_response(connection):
    """Reads a response with a Content-Length; returns whether the connection can be used again."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return False
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            return False
        body += more
    return b"connection: close" not in head.lower()


def use_lines(connection, arguments):
    connection.sendall(b"hello\n")
    return connection.recv(4096) != b""


def use_http(connection, arguments):
    request(connection, arguments, keep="keep-alive")
    return read_response(connection)


def pool(use, arguments):
    connections = []
    watched = selectors.DefaultSelector()

    def drop(connection):
        watched.unregister(connection)
        connections.remove(connection)
        connection.close()

    def fill():
        while len(connections) < arguments.count:
            try:
                connection = connect(arguments.address)
            except OSError:
                break
            connections.append(connection)
            watched.register(connection, selectors.EVENT_READ)

    while True:
        fill()
        for connection in list(connections):
            try:
                # A dead one is noticed when it is taken from the pool.
                if is_readable(connection) or not use(connection, arguments):
                    drop(connection)
            except OSError:
                drop(connection)
        fill()
        until = time.monotonic() + arguments.every
        while (left := until - time.monotonic()) > 0:
            if not arguments.watch:
                time.sleep(left)
                continue
            for key, _ in watched.select(left):
                drop(key.fileobj)


def is_readable(connection):
    return bool(select.select([connection], [], [], 0)[0])


MODES = {
    "slow": slow,
    "stall": stall,
    "giveup": giveup,
    "half": half,
    "poll": read_all,
    "stream": read_all,
}


def run(mode, arguments):
    while True:
        try:
            with connect(arguments.address) as connection:
                MODES[mode](connection, arguments)
        except OSError:
            time.sleep(1)
        time.sleep(arguments.every if mode in ("giveup", "half") else 0.5)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=[*MODES, "idle", "pool"])
    parser.add_argument("address")
    parser.add_argument("--path", default="/big")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--every", type=float, default=5)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--pause", type=float, default=40)
    parser.add_argument("--watch", action="store_true")
    arguments = parser.parse_args()
    if arguments.mode == "idle":
        pool(use_lines, arguments)
    if arguments.mode == "pool":
        pool(use_http, arguments)
    for _ in range(arguments.count - 1):
        if os.fork() == 0:
            break
        time.sleep(0.05)
    run(arguments.mode, arguments)


main()
