"""Shared by these programs: real software on ports of its own, started and stopped with them."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

PACE_S = int(os.environ.get("CORPUS_PACE_MS", "1000")) / 1000
NOBODY = pwd.getpwnam("nobody")
START_TIMEOUT_S = 30

children = []


def say(line):
    print(line, flush=True)


def judge(*pids):
    for pid in pids:
        say(f"judge {pid}")


def private_directory(name):
    """A directory below the working directory for the user nobody, which can also reach it."""
    path = os.path.abspath(name)
    os.makedirs(path)
    os.chmod(os.getcwd(), 0o711)
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    return path


def as_nobody():
    return {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}


def start(*command, ends_by=signal.SIGTERM, **options):
    """Starts a program in the foreground; `end` stops it by that signal."""
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, **options
    )
    child.ends_by = ends_by
    children.append(child)
    return child


def run(*command, **options):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, **options)


def end(child):
    child.send_signal(child.ends_by)
    try:
        child.wait(START_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    children.remove(child)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until(attempt, *expected):
    """What `attempt` returns once it no longer raises any of these."""
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return attempt()
        except expected:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)


def wait_for_port(port):
    def attempt():
        socket.create_connection(("127.0.0.1", port)).close()

    wait_until(attempt, OSError)


def descendants(pid):
    """The descendants of a process."""
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with open(path) as file:
            for child in file.read().split():
                found += [int(child), *descendants(int(child))]
    return found


def program(name, *elsewhere):
    """The path of a program that may be outside of the search path."""
    places = [path for pattern in elsewhere for path in sorted(glob.glob(pattern), reverse=True)]
    found = shutil.which(name) or next(iter(places), None)
    return found or sys.exit(f"{name} is not installed")


def stay():
    """Reports ready, and waits until the runner closes standard input."""
    say("ready")
    while os.read(0, 4096):
        pass


def conduct(perform):
    """Runs `perform`, and stops whatever it has started."""
    try:
        perform()
    finally:
        for child in reversed(children.copy()):
            end(child)
