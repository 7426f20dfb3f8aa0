"""Idle ssh sessions, with a server and keys of their own.

One only holds the connection, one runs a sleeping command on a terminal, and one forwards a port
with an idle connection through it.
"""

import contextlib
import os
import socket

from orchestra import (
    conduct, descendants, free_port, judge, program, run, start, stay, wait_for_port, wait_until,
)

CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
# The connection through the tunnel never logs in, and is to stay.
LoginGraceTime 0
"""


def keys(directory):
    for name in ["host_key", "key"]:
        path = os.path.join(directory, name)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)


def sshd(directory, port):
    path = os.path.join(directory, "sshd_config")
    with open(path, "w") as file:
        file.write(CONFIGURATION.format(directory=directory, port=port))
    # The directory for privilege separation of Debian's sshd; normally the service manager creates it.
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    server = start(program("sshd", "/usr/sbin/sshd"), "-D", "-e", "-f", path)
    wait_for_port(port)
    return server


def ssh(directory, port, *arguments):
    return start(
        "ssh", "-F", "none", "-i", f"{directory}/key", "-p", str(port), "-l", "root",
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
        "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ExitOnForwardFailure=yes",
        *arguments,
    )


def connection_through(forwarded):
    """A connection through the tunnel to sshd itself, after its banner."""
    def attempt():
        tunnel = socket.create_connection(("127.0.0.1", forwarded))
        if not tunnel.recv(4096).startswith(b"SSH-"):
            raise ConnectionError("no greeting yet")
        return tunnel

    return wait_until(attempt, OSError)


def perform():
    directory = os.getcwd()
    port, forwarded = free_port(), free_port()
    keys(directory)
    server = sshd(directory, port)
    clients = [
        ssh(directory, port, "-N", "127.0.0.1"),
        ssh(directory, port, "-tt", "127.0.0.1", "sleep 3600"),
        ssh(directory, port, "-N", "-L", f"{forwarded}:127.0.0.1:{port}", "127.0.0.1"),
    ]
    tunnel = connection_through(forwarded)
    wait_until(lambda: sleeping(server.pid), AssertionError)
    judge(os.getpid(), *(client.pid for client in clients))
    judge(server.pid, *descendants(server.pid))
    stay()
    tunnel.close()


def sleeping(pid):
    """Whether the command on the terminal runs."""
    commands = []
    for child in descendants(pid):
        # Processes of the login exit meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{child}/comm") as file:
                commands.append(file.read().strip())
    assert "sleep" in commands


conduct(perform)
