"""Opens and accepts connections and never closes them, each in a function of its own: whose stack
the tests look for. Commands come line by line, as those of leak.c."""

import socket
import sys

leaked = []
listener = socket.create_server(("127.0.0.1", 0))


def leak_one(port):
    connection = socket.socket()
    connection.connect(("127.0.0.1", port))
    leaked.append(connection)
    return connection.fileno()


def accept_one(_):
    connection, _ = listener.accept()
    leaked.append(connection)
    return connection.fileno()


def main():
    commands = {
        "connect": leak_one,
        "listen": lambda _: listener.getsockname()[1],
        "accept": accept_one,
    }
    print("ready", flush=True)
    for line in sys.stdin:
        command, _, port = line.strip().partition(" ")
        print("ok", commands[command](int(port or 0)), flush=True)


main()
