"""TLS clients. Unread bytes on their sockets are often not application data."""

import socket
import ssl
import subprocess
import sys
import threading
import time

import protocol
from peer import Peer, drain

POOL = 8


def connect(address, authority):
    host, port = address.rsplit(":", 1)
    context = ssl.create_default_context(cafile=authority)
    return context.wrap_socket(
        socket.create_connection((host, int(port))), server_hostname=host
    )


def ask(connection, size):
    request = f"GET /bytes?n={size} HTTP/1.1\r\nHost: example\r\n\r\n"
    connection.sendall(request.encode())


def read_answer(connection):
    """Reads a small response completely."""
    stream = connection.makefile("rb")
    length = 0
    while (line := stream.readline()).strip():
        name, _, value = line.decode().partition(":")
        if name.lower() == "content-length":
            length = int(value)
    assert len(stream.read(length)) == length


def pool(address, authority):
    """A few connections that were used, and are kept for the next use."""
    held = [connect(address, authority) for _ in range(POOL)]
    for _ in range(3):
        for connection in held:
            ask(connection, 100)
            read_answer(connection)
    return held


def body_unread(address, authority):
    """64 KiB of which only the header is read."""
    held = []
    for _ in protocol.paced():
        connection = connect(address, authority)
        ask(connection, 65536)
        connection.recv(100)
        held.append(connection)
    return held


def reading_peer():
    """A TLS server that sends session tickets and nothing else."""
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
        " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem".split(),
        check=True,
        stderr=subprocess.DEVNULL,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("certificate.pem", "key.pem")
    return Peer(lambda connection: drain(context.wrap_socket(connection, server_side=True)))


def writers(total):
    host, port = reading_peer().address()
    held = [connect(f"{host}:{port}", "certificate.pem") for _ in range(total)]
    for connection in held:
        connection.sendall(b"a line of a log\n")
    return held


def write_only():
    """Sends a line now and then, and never reads, so the tickets stay unread."""
    held = writers(POOL)

    def send():
        while True:
            time.sleep(1)
            for connection in held:
                connection.sendall(b"a line of a log\n")

    threading.Thread(target=send, daemon=True).start()
    return held


def tickets_unread():
    """The same, with nothing more to send."""
    return writers(protocol.COUNT)


protocol.run(
    {
        "pool": pool,
        "body-unread": body_unread,
        "write-only": write_only,
        "tickets-unread": tickets_unread,
    }
)
