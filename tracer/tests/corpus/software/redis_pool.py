"""Redis with a pool of connections in this process: `redis_pool.py idle|restarted`."""

import os
import sys

import redis

from orchestra import (
    as_nobody, conduct, end, free_port, judge, private_directory, program, start, stay,
    wait_for_port,
)

POOL = 20


def serve(directory, port):
    server = start(
        program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
        "--appendonly", "no", "--dir", directory, "--daemonize", "no",
        cwd=directory, **as_nobody(),
    )
    wait_for_port(port)
    return server


def fill(pool):
    """Has as many connections in use at once as the pool may hold, and gives all of them back."""
    connections = [pool.get_connection() for _ in range(POOL)]
    for connection in connections:
        connection.send_command("PING")
        assert connection.read_response() in (b"PONG", "PONG")
    for connection in connections:
        pool.release(connection)


def perform():
    directory, port = private_directory("redis"), free_port()
    server = serve(directory, port)
    pool = redis.ConnectionPool(host="127.0.0.1", port=port, max_connections=POOL)
    fill(pool)
    if sys.argv[1] == "restarted":
        end(server)
        server = serve(directory, port)
    judge(os.getpid(), server.pid)
    stay()


conduct(perform)
