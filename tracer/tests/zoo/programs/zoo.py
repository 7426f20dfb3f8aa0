"""What the Python programs of the zoo have in common.

The harness sets the environment: PORT, the first of 20 ports of this exhibit, DIR, its directory, and IDLE, the
tracer's `--idle` in seconds. A program that is started with `--leak` leaks; without it, it is the healthy partner.
"""

import argparse
import os
import pathlib
import random
import resource
import threading
import time

PORT = int(os.environ["PORT"])
IDLE = float(os.environ["IDLE"])
DIR = pathlib.Path(os.environ["DIR"])

# Leaks one by one are this far apart: farther than the twelfth of `--idle` that separates two events.
PACE = IDLE / 5
# And so far where a pool is used beside them, so that several bursts come in between.
SLOW_PACE = 2 * PACE
LEAKS = 25
# The server closes a connection when it has been idle for this long.
KEEP = 5


def arguments(*more):
    """The options of the command line; `more` has names and defaults beside `--leak`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--leak", action="store_true")
    for name, default in more:
        parser.add_argument("--" + name, type=type(default), default=default)
    return parser.parse_args()


def event(after=0):
    """Writes down that a leak happens in `after` seconds, when the server will close; the harness reads the last time."""
    draft = DIR / "last-event.draft"
    draft.write_text(f"{time.time() + after:.3f}\n")
    draft.rename(DIR / "last-event")


def between(low, high):
    """Sleeps for a random time, in seconds."""
    time.sleep(random.uniform(low, high))


def depth(least, most):
    """How many connections a burst uses at the same time. Every second burst or so uses all: a leaked connection that
    was open during the largest burst could otherwise not be told from one that the pool keeps for the next such burst.
    """
    return random.choice([most, random.randint(least, most)])


def in_thread(target, *args):
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def forever():
    while True:
        time.sleep(3600)


def sockets():
    """How many sockets this process has."""
    links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return sum(os.path.islink(link) and os.readlink(link).startswith("socket:") for link in links)


def many_files():
    """As many file descriptors as this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
