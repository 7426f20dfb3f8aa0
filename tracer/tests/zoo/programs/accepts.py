"""A server on PORT + 1, and, with `--clients`, its clients.

Most clients send ten requests on a connection, a twentieth of `--idle` apart, and close. Every fifth of `--idle`,
a client of another kind connects.

--strange send    it sends a request with an unknown method, waits for twice `--idle`, and closes
--strange eof     it is a health check: it connects and closes
--leak            the server puts 25 connections of these clients into a list and never reads or closes them: those of
                  `send` before it has read anything (`MSG_PEEK`), those of `eof` after EOF; the healthy server treats
                  them like the others
--clients         run the clients, not the server
"""

import argparse
import socket
import time

import zoo

kept = []
# Empty until the first request, so that a connection that only tests the port is not kept.
busy_clients = set()


def serve(connection, strange):
    served = 0
    try:
        while True:
            head = connection.recv(64, socket.MSG_PEEK)
            if head.startswith(b"STRANGE") and strange == "send":
                kept.append(connection)
                return
            data = connection.recv(65536)
            if not data:
                if strange == "eof" and not served and busy_clients:
                    kept.append(connection)
                    return
                break
            connection.sendall(b"x" * 200)
            busy_clients.add("seen")
            served += 1
    except OSError:
        pass
    connection.close()


def server(strange):
    listener = socket.create_server(("127.0.0.1", zoo.PORT + 1), backlog=128)
    while True:
        connection, _ = listener.accept()
        zoo.in_thread(serve, connection, strange)


def connect():
    return socket.create_connection(("127.0.0.1", zoo.PORT + 1))


def busy():
    while True:
        connection = connect()
        for _ in range(10):
            connection.sendall(b"GET\n")
            connection.recv(65536)
            time.sleep(zoo.IDLE / 20)
        connection.close()


def strange_one(strange, leak):
    connection = connect()
    if strange == "send":
        connection.sendall(b"STRANGE\n" * 20)
        zoo.in_thread(give_up, connection)
    else:
        connection.close()
    if leak:
        zoo.event()


def give_up(connection):
    connection.settimeout(2 * zoo.IDLE)
    try:
        connection.recv(1)
    except OSError:
        pass
    connection.close()


def clients(strange, leak):
    for _ in range(4):
        zoo.in_thread(busy)
    count = 0
    while not leak or count < zoo.LEAKS:
        strange_one(strange, leak)
        count += 1
        time.sleep(zoo.PACE)
    zoo.forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--strange", choices=["send", "eof"])
    parser.add_argument("--leak", action="store_true")
    parser.add_argument("--clients", action="store_true")
    options = parser.parse_args()
    if options.clients:
        clients(options.strange, options.leak)
    else:
        server(options.strange if options.leak else None)


main()
