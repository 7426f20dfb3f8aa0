"""The peer of a case's connections: a separate process, which is not judged."""

import os
import socket
import struct
import threading

import protocol


def send_bytes(amount):
    """A way to serve: sends this many bytes as fast as they are accepted, and keeps the connection."""

    def serve(connection):
        connection.sendall(bytes(amount))

    return serve


def echo(connection):
    """A way to serve: sends everything back."""
    while data := connection.recv(65536):
        connection.sendall(data)


def answer_once(connection):
    """A way to serve: sends one message back, and keeps the connection."""
    connection.sendall(connection.recv(65536))


def drain(connection):
    """A way to serve: reads everything and sends nothing."""
    while connection.recv(65536):
        pass


def half_close(connection):
    """A way to serve: shuts down its sending side, and keeps reading."""
    connection.shutdown(socket.SHUT_WR)
    drain(connection)


def ignore(_connection):
    """A way to serve: neither reads nor sends."""


class Peer:
    """A server in a separate process. A connection stays open until a command closes or resets it,
    which is not possible while its way to serve is still reading.
    """

    def __init__(self, serve, host="127.0.0.1", prepare=None):
        commands, self._commands = os.pipe()
        answers, self._answers = os.pipe()
        self.pid = protocol.fork(self._child, serve, host, prepare, commands)
        os.close(commands)
        os.close(self._answers)
        self._answers = os.fdopen(answers, "r")
        self._host = host

    def address(self):
        """The address, once the peer listens."""
        if not hasattr(self, "_port"):
            self._port = int(self._answers.readline())
        return (self._host, self._port)

    def connect(self):
        return socket.create_connection(self.address())

    def close_all(self):
        """Closes all connections that are open there."""
        self.tell("close")

    def reset_all(self):
        """Resets all connections that are open there."""
        self.tell("reset")

    def tell(self, command):
        """Sends a command; returns when it has been carried out."""
        os.write(self._commands, command.encode() + b"\n")
        self._answers.readline()

    def _child(self, serve, host, prepare, commands):
        os.close(self._commands)
        if prepare is not None:
            prepare()
        connections = []
        listener = socket.create_server((host, 0), backlog=128)
        threading.Thread(
            target=_accept, args=(listener, connections, serve), daemon=True
        ).start()
        self._answer(listener.getsockname()[1])
        for command in os.fdopen(commands, "r"):
            while connections:
                connection = connections.pop()
                if command.strip() == "reset":
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.close()
            self._answer("done")

    def _answer(self, answer):
        os.write(self._answers, f"{answer}\n".encode())


def _accept(listener, connections, serve):
    while True:
        connection, _ = listener.accept()
        connections.append(connection)
        threading.Thread(target=_serve, args=(serve, connection), daemon=True).start()


def _serve(serve, connection):
    try:
        serve(connection)
    except OSError:
        # The program has exited, or a command closed the connection.
        pass
