"""Connections whose peer has vanished. Program and peer run in unnamed network namespaces of their
own, which the kernel removes with the last process, however it exits.
"""

import ctypes
import os
import socket
import subprocess
import sys
import time

import protocol
from peer import Peer, drain

CLONE_NEWNET = 0x4000_0000
HERE, THERE = "10.99.0.1", "10.99.0.2"
# The kernel's limit.
MOST_PROBES = 127
# A tenth of `--idle`, but at least the kernel's minimum.
SOON_S = max(1, round(protocol.IDLE_S / 10))


def command(line):
    subprocess.run(line.split(), check=True)


def leave_network():
    """Gives this process a network namespace of its own."""
    if protocol.LIBC.unshare(CLONE_NEWNET) != 0:
        sys.exit(f"cannot have a network namespace: {os.strerror(ctypes.get_errno())}")


class FarPeer:
    """A peer in its own network namespace, as on another host, that reads everything and can vanish."""

    def __init__(self):
        leave_network()
        peer = Peer(drain, host="0.0.0.0", prepare=leave_network)
        _, port = peer.address()
        self._there = f"nsenter --net=/proc/{peer.pid}/ns/net"
        command(f"ip link add near type veth peer name far netns {peer.pid}")
        command(f"ip address add {HERE}/24 dev near")
        command("ip link set near up")
        command(f"{self._there} ip address add {THERE}/24 dev far")
        command(f"{self._there} ip link set far up")
        self.connections = [
            socket.create_connection((THERE, port)) for _ in range(protocol.COUNT)
        ]
        for connection in self.connections:
            connection.sendall(b"hello")
        # Everything is acknowledged before the link is cut.
        time.sleep(1)
        self._peer = peer

    def vanish(self):
        """As if the host were off and the switch were not: no answers, and no ICMP errors."""
        with open("/proc/net/arp") as table:
            hardware = next(line.split()[3] for line in table if line.startswith(THERE))
        command(f"ip neighbour replace {THERE} lladdr {hardware} dev near nud permanent")
        command(f"{self._there} ip address flush dev far")


def keep_alive(connection, interval_s, probes):
    """Sets short keepalive intervals, and the number of probes before the kernel gives up."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SOON_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, probes)


def probes_unanswered():
    """Keepalive probes are not answered, and the kernel keeps sending them."""
    peer = FarPeer()
    for connection in peer.connections:
        keep_alive(connection, 5 * SOON_S, MOST_PROBES)
    peer.vanish()
    return peer


def probes_given_up():
    """The kernel gave up after three probes; the program never uses the connections again."""
    peer = FarPeer()
    for connection in peer.connections:
        keep_alive(connection, SOON_S, 3)
    peer.vanish()
    time.sleep(6 * SOON_S)
    return peer


def no_probes():
    """Without keepalive."""
    peer = FarPeer()
    peer.vanish()
    return peer


def retransmitting():
    """Data was sent that is not acknowledged."""
    peer = FarPeer()
    peer.vanish()
    for connection in peer.connections:
        connection.sendall(b"is anybody there?")
    return peer


protocol.run(
    {
        "probes-unanswered": probes_unanswered,
        "probes-given-up": probes_given_up,
        "no-probes": no_probes,
        "retransmitting": retransmitting,
    }
)
