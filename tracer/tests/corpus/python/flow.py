"""Connections on which data is unread, waiting or slow, mostly for good reasons."""

import atexit
import os
import selectors
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import protocol
from peer import Peer, echo, half_close, ignore, send_bytes


def connect_unread(peer):
    """Connections with 64 KiB that no code reads; waits until the data has arrived."""
    held = [peer.connect() for _ in range(protocol.COUNT)]
    for connection in held:
        connection.recv(65536, socket.MSG_PEEK)
    return held


def paused_process(pause):
    """A process with unread data that is stopped from outside, at once."""
    peer = Peer(send_bytes(65536))
    is_connected, connected = os.pipe()

    def victim():
        held = connect_unread(peer)
        os.write(connected, b"!")
        protocol.forever()
        del held

    pid = protocol.fork(victim)
    protocol.judge(pid)
    os.read(is_connected, 1)
    pause(pid)


def stopped():
    """Stopped as by a debugger or Ctrl-Z."""
    paused_process(lambda pid: os.kill(pid, signal.SIGSTOP))


def cgroup_root():
    """The mount point of cgroup v2, or None."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


def frozen():
    """Frozen as by `docker pause`."""
    root = cgroup_root()
    if root is None or not os.access(root / "cgroup.procs", os.W_OK):
        sys.exit("there are no writable control groups of version 2")
    # Left over from a run that was killed.
    for left in root.glob("corpus-*"):
        if not Path("/proc", left.name.removeprefix("corpus-")).exists():
            left.rmdir()
    group = root / f"corpus-{os.getpid()}"
    group.mkdir()

    def freeze(pid):
        (group / "cgroup.procs").write_text(str(pid))
        (group / "cgroup.freeze").write_text("1")
        while "frozen 1" not in (group / "cgroup.events").read_text():
            time.sleep(0.01)
        atexit.register(remove, pid)

    def remove(pid):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        group.rmdir()

    paused_process(freeze)


def slow_readers():
    """Reads 10 MB at 1 KiB per second."""
    peer = Peer(send_bytes(10_000_000))
    held = [peer.connect() for _ in range(protocol.COUNT)]

    def read_slowly():
        while True:
            for connection in held:
                connection.recv(1024)
            time.sleep(1)

    threading.Thread(target=read_slowly, daemon=True).start()
    return held


def half_close_senders():
    """The peer shuts down its sending side; this side keeps sending."""
    peer = Peer(half_close)
    held = [peer.connect() for _ in range(protocol.COUNT)]
    for connection in held:
        assert connection.recv(1) == b""

    def send():
        while True:
            for connection in held:
                connection.sendall(b"a line of a log\n")
            time.sleep(1)

    threading.Thread(target=send, daemon=True).start()
    return held


def peer_not_reading():
    """Sends until the buffers are full."""
    peer = Peer(ignore)
    held = []
    for _ in range(protocol.COUNT):
        connection = peer.connect()
        connection.setblocking(False)
        fill(connection)
        held.append(connection)
    return held


def fill(connection):
    """Writes until nothing has been accepted for a while."""
    refused = 0
    while refused < 5:
        try:
            connection.send(bytes(65536))
            refused = 0
        except BlockingIOError:
            refused += 1
            time.sleep(0.02)


def blocked_readers():
    """Like an idle ssh session: a thread that waits in recv."""
    peer = Peer(echo)
    held = [peer.connect() for _ in range(protocol.COUNT)]
    for connection in held:
        connection.sendall(b"hello")
        threading.Thread(target=wait_for_ever, args=(connection,), daemon=True).start()
    return held


def wait_for_ever(connection):
    while connection.recv(65536):
        pass


def stalled_clients(listener):
    address = listener.getsockname()
    listener.close()
    held = [socket.create_connection(address) for _ in range(protocol.COUNT)]
    protocol.forever()
    del held


def proxy():
    """Its clients do not read what it sends, so it leaves the rest unread on the upstream side."""
    upstream = Peer(send_bytes(20_000_000))
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    protocol.fork(stalled_clients, listener)
    pairs = [(upstream.connect(), listener.accept()[0]) for _ in range(protocol.COUNT)]
    threading.Thread(target=forward, args=(pairs,), daemon=True).start()
    return listener, pairs


def forward(pairs):
    """Waits on each pair for data from the source or for room in the sink, whichever it needs."""
    selector = selectors.DefaultSelector()
    for source, sink in pairs:
        sink.setblocking(False)
        selector.register(source, selectors.EVENT_READ, (source, sink, b""))
    while True:
        for key, _ in selector.select():
            source, sink, left = key.data
            selector.unregister(key.fileobj)
            left = left or source.recv(65536)
            try:
                left = left[sink.send(left) :]
            except BlockingIOError:
                pass
            if left:
                selector.register(sink, selectors.EVENT_WRITE, (source, sink, left))
            else:
                selector.register(source, selectors.EVENT_READ, (source, sink, b""))


protocol.run(
    {
        "stopped": stopped,
        "frozen": frozen,
        "slow-readers": slow_readers,
        "half-close-senders": half_close_senders,
        "peer-not-reading": peer_not_reading,
        "blocked-readers": blocked_readers,
        "proxy": proxy,
    }
)
