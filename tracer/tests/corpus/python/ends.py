"""Connections that were closed, reset or never established."""

import ctypes
import select
import socket
import struct
import time

import protocol
from peer import Peer, answer_once, ignore

POOL = 8
BURST = 12


def ghost_untold():
    """The peer resets one connection after the other, and this side never uses them again."""
    peer = Peer(ignore)
    held = []
    for _ in protocol.paced():
        held.append(peer.connect())
        # Connections that are still in the peer's backlog cannot be reset by it.
        time.sleep(0.1)
        peer.reset_all()
    return held


def ghost_reported():
    """The same, but this side gets the error of every reset, and closes nothing."""
    held = ghost_untold()
    for connection in held:
        try:
            connection.recv(1)
        except ConnectionResetError:
            pass
    return held


def pool(total):
    """A pool that is used once, and not again."""
    peer = Peer(answer_once)
    held = [peer.connect() for _ in range(total)]
    for connection in held:
        connection.sendall(b"hello")
        connection.recv(65536)
    return peer, held


def reset_few():
    """The peer crashed; the pool notices when it is used next."""
    peer, held = pool(POOL)
    peer.reset_all()
    return held


def restart_burst():
    """The peer was restarted, which closed all connections of a pool at once."""
    peer, held = pool(BURST)
    peer.close_all()
    return held


def never_connected():
    """Sockets of every kind without a connection; only the last one ever had one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refusing = listener.getsockname()
    unused = [socket.socket() for _ in range(protocol.COUNT)]
    refused = [socket.socket() for _ in range(protocol.COUNT)]
    for connection in refused:
        assert connection.connect_ex(refusing) != 0
    peer = Peer(ignore)
    disconnected = [peer.connect() for _ in range(protocol.COUNT)]
    for connection in disconnected:
        disconnect(connection)
    return unused, refused, disconnected


def disconnect(connection):
    """Disconnects the socket, and keeps it for another connection."""
    unspecified = struct.pack("=H14x", socket.AF_UNSPEC)
    outcome = protocol.LIBC.connect(connection.fileno(), unspecified, len(unspecified))
    assert outcome == 0, ctypes.get_errno()


def full_backlog():
    """A server that accepts nothing: the clients' connections are in no table of file descriptors."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=5)
    protocol.fork(knock, listener)
    select.select([listener], [], [])
    return listener


def knock(listener):
    address = listener.getsockname()
    listener.close()
    held = [socket.socket() for _ in range(protocol.COUNT)]
    for connection in held:
        connection.setblocking(False)
        connection.connect_ex(address)
    time.sleep(1)
    for connection in held:
        try:
            connection.send(b"hello")
        except OSError:
            # This one is still connecting.
            pass
    protocol.forever()


def not_tcp():
    """Unread data on UDP and Unix sockets."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    held = [receiver]
    for _ in range(protocol.COUNT):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.connect(receiver.getsockname())
        sender.send(bytes(1000))
        here, there = socket.socketpair()
        here.send(bytes(1000))
        held += [sender, here, there]
    return held


protocol.run(
    {
        "ghost-untold": ghost_untold,
        "ghost-reported": ghost_reported,
        "reset-few": reset_few,
        "restart-burst": restart_burst,
        "never-connected": never_connected,
        "full-backlog": full_backlog,
        "not-tcp": not_tcp,
    }
)
