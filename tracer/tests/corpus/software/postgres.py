"""PostgreSQL with a pool of connections in this process: `postgres.py idle|restarted`."""

import os
import signal
import sys

import psycopg

from orchestra import (
    as_nobody, conduct, descendants, end, free_port, judge, private_directory, program, run, start,
    stay, wait_until,
)

POOL = 20
PROGRAMS = "/usr/lib/postgresql/*/bin/"


def initialized():
    """The directory of a new cluster."""
    directory = private_directory("postgres")
    run(
        program("initdb", PROGRAMS + "initdb"), "--pgdata", directory, "--auth", "trust",
        "--username", "corpus", "--encoding", "UTF8", "--no-locale", "--no-sync",
        cwd=directory, **as_nobody(),
    )
    return directory


def serve(directory, port):
    return start(
        program("postgres", PROGRAMS + "postgres"), "-D", directory, "-p", str(port),
        "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={directory}",
        "-c", "shared_buffers=16MB", "-c", "fsync=off",
        # A fast shutdown; the default would wait for the clients to disconnect.
        ends_by=signal.SIGINT, cwd=directory, **as_nobody(),
    )


def connect(port):
    address = f"host=127.0.0.1 port={port} user=corpus dbname=postgres sslmode=disable"
    return psycopg.connect(address, autocommit=True)


def used(connection):
    assert connection.execute("SELECT 1").fetchone() == (1,)
    return connection


def perform():
    directory, port = initialized(), free_port()
    server = serve(directory, port)
    first = wait_until(lambda: connect(port), psycopg.OperationalError)
    pool = [used(first)] + [used(connect(port)) for _ in range(POOL - 1)]
    if sys.argv[1] == "restarted":
        # As `pg_ctl restart` does: every client is sent a message, which the pool does not read.
        end(server)
        server = serve(directory, port)
        wait_until(lambda: connect(port), psycopg.OperationalError).close()
    judge(os.getpid(), server.pid, *descendants(server.pid))
    stay()
    # The connections must stay open until here.
    pool.clear()


conduct(perform)
