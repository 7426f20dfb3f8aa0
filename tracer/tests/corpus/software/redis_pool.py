"""Redis with a pool of connections in this process: `redis_pool.py KIND`.

idle: the pool is not used.
restarted: the server was restarted, and the pool has not been used since.
restarted-long-ago: the same, and keepalive probes have reset the connections.
"""

import os
import socket
import sys
import time

import redis

from orchestra import (
    as_nobody, conduct, end, free_port, judge, private_directory, program, start, stay,
    wait_for_port,
)

POOL = 20
# `tcp_fin_timeout`, and the interval of redis-py's keepalive probes (30 s).
DEATH_TIMEOUT_S = 150
# The first byte of `struct tcp_info` of a dead connection: TCP_CLOSE.
TCP_CLOSE = 7


def serve(directory, port):
    server = start(
        program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
        "--appendonly", "no", "--dir", directory, "--daemonize", "no",
        cwd=directory, **as_nobody(),
    )
    wait_for_port(port)
    return server


def fill(pool):
    """Uses as many connections at once as the pool may hold, and returns all of them."""
    connections = [pool.get_connection() for _ in range(POOL)]
    for connection in connections:
        connection.send_command("PING")
        assert connection.read_response() in (b"PONG", "PONG")
    for connection in connections:
        pool.release(connection)
    return connections


def wait_until_dead(connections):
    """Waits until they are dead, without using them."""
    give_up_at = time.monotonic() + DEATH_TIMEOUT_S
    while any(state(connection) != TCP_CLOSE for connection in connections):
        if time.monotonic() > give_up_at:
            sys.exit("the connections do not die")
        time.sleep(0.5)


def state(connection):
    return connection._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def perform():
    directory, port = private_directory("redis"), free_port()
    server = serve(directory, port)
    pool = redis.ConnectionPool(host="127.0.0.1", port=port, max_connections=POOL)
    connections = fill(pool)
    if sys.argv[1] != "idle":
        end(server)
        server = serve(directory, port)
    if sys.argv[1] == "restarted-long-ago":
        wait_until_dead(connections)
    judge(os.getpid(), server.pid)
    stay()


conduct(perform)
