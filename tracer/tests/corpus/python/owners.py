"""Sockets that are held by a process other than the opener, leaked or not."""

import os
import select
import socket
import sys
import threading
import time

import protocol
from peer import Peer, echo

CLIENTS = 6


def used_connections(peer, total):
    """Connections that were used some time ago."""
    held = [peer.connect() for _ in range(total)]
    for connection in held:
        connection.sendall(b"hello")
        connection.recv(65536)
    # The connections must be clearly older than the child that inherits them.
    time.sleep(2 * protocol.PACE_S)
    return held


def close_all(connections):
    for connection in connections:
        connection.close()


def wait_for_ever(connection):
    """Waits for data, so that the connections have a reader."""
    while connection.recv(65536):
        pass


def start_readers(connections):
    for connection in connections:
        threading.Thread(target=wait_for_ever, args=(connection,), daemon=True).start()


def talk(connections):
    """Uses the connections repeatedly."""
    while True:
        for connection in connections:
            connection.sendall(b"hello")
            connection.recv(65536)
        time.sleep(1)


def fork_child_exits():
    """A child gets copies, does its work and exits; the parent continues to use the connections."""
    peer = Peer(echo)
    held = used_connections(peer, protocol.COUNT)
    child = protocol.fork(time.sleep, protocol.PACE_S)
    os.waitpid(child, 0)
    start_readers(held)
    return held


def fork_child_keeps():
    """The parent closes its file descriptors; the child is unaware of its copies."""
    peer = Peer(echo)
    held = used_connections(peer, CLIENTS)
    protocol.judge(protocol.fork(protocol.forever))
    close_all(held)
    protocol.count(CLIENTS)


def exec_child_keeps():
    """The same with a child that runs another program: close-on-exec was not set."""
    peer = Peer(echo)
    held = used_connections(peer, CLIENTS)
    for connection in held:
        connection.set_inheritable(True)
    protocol.judge(protocol.fork(os.execvp, "sleep", ["sleep", "infinity"]))
    close_all(held)
    protocol.count(CLIENTS)


def idle_clients(address):
    held = []
    for _ in range(CLIENTS):
        connection = socket.create_connection(address)
        connection.sendall(b"hello")
        connection.recv(65536)
        held.append(connection)
    protocol.forever()


def listen_for_idle_clients():
    """A listener, and clients that send something once and then stay idle."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    protocol.fork(start_clients, listener)
    listener.listen(128)
    return listener


def start_clients(listener):
    address = listener.getsockname()
    listener.close()
    while True:
        try:
            idle_clients(address)
        except ConnectionRefusedError:
            time.sleep(0.05)


def fork_per_connection():
    """A forked process for each client, which waits for it in poll."""
    listener = listen_for_idle_clients()
    for _ in range(CLIENTS):
        connection, _ = listener.accept()
        protocol.judge(protocol.fork(echo_when_polled, connection))
        connection.close()
    return listener


def echo_when_polled(connection):
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while poll.poll() and (data := connection.recv(65536)):
        connection.sendall(data)


def exec_per_connection():
    """The same with another program, as inetd and sshd do it."""
    listener = listen_for_idle_clients()
    for _ in range(CLIENTS):
        connection, _ = listener.accept()
        protocol.judge(protocol.fork(become_cat, connection))
        connection.close()
    return listener


def become_cat(connection):
    os.dup2(connection.fileno(), 0)
    os.dup2(connection.fileno(), 1)
    os.execvp("cat", ["cat"])


def prefork():
    """Workers that share a listener, each with the clients that it accepted."""
    listener = listen_for_idle_clients()
    for _ in range(4):
        protocol.judge(protocol.fork(work, listener))
    return listener


def work(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=echo, args=(connection,), daemon=True).start()


def activated():
    """A listener that was opened by another program, as in socket activation by systemd."""
    listener = listen_for_idle_clients()
    protocol.judge(protocol.fork(become_activated, listener))
    return listener


def become_activated(listener):
    listener.set_inheritable(True)
    descriptor = str(listener.fileno())
    os.execv(sys.executable, [sys.executable, __file__, "activated-worker", descriptor])


def activated_worker(descriptor):
    work(socket.socket(fileno=int(descriptor)))


def passed():
    """Opened by one process, and passed to another one, which uses them."""
    peer = Peer(echo)
    here, there = socket.socketpair()
    protocol.judge(protocol.fork(take_over, there))
    there.close()
    for _ in range(CLIENTS):
        connection = peer.connect()
        socket.send_fds(here, [b"!"], [connection.fileno()])
        connection.close()


def take_over(channel):
    held = []
    for _ in range(CLIENTS):
        _, [descriptor], _, _ = socket.recv_fds(channel, 1, 1)
        held.append(socket.socket(fileno=descriptor))
    talk(held)


if sys.argv[1] == "activated-worker":
    activated_worker(sys.argv[2])

protocol.run(
    {
        "fork-child-exits": fork_child_exits,
        "fork-child-keeps": fork_child_keeps,
        "exec-child-keeps": exec_child_keeps,
        "fork-per-connection": fork_per_connection,
        "exec-per-connection": exec_per_connection,
        "prefork": prefork,
        "activated": activated,
        "passed": passed,
    }
)
