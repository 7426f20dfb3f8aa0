"""Shared by the Python programs of the zoo.

The harness sets the environment: PORT, the first of 20 ports of this exhibit, DIR, its directory, and IDLE, the
tracer's `--idle` in seconds. A program leaks if it is started with `--leak`, and is healthy otherwise.
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

# Time between leaks that are one by one: longer than the twelfth of `--idle` that separates two clusters.
PACE = IDLE / 5
# The same where a pool is also used, so that several bursts are in between.
SLOW_PACE = 2 * PACE
LEAKS = 25
# The server closes a connection that has been idle for this long.
KEEP = 5


def arguments(*more):
    """The options of the command line; `more` has further names, with their defaults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--leak", action="store_true")
    for name, default in more:
        parser.add_argument("--" + name, type=type(default), default=default)
    return parser.parse_args()


def event(after=0):
    """Records that a leak happens in `after` seconds, when the server will close; the harness reads the latest time."""
    draft = DIR / "last-event.draft"
    draft.write_text(f"{time.time() + after:.3f}\n")
    draft.rename(DIR / "last-event")


def between(low, high):
    """Sleeps for a random time, in seconds."""
    time.sleep(random.uniform(low, high))


def depth(least, most):
    """How many connections a burst uses at once. About every second burst uses all: otherwise, a leaked connection that
    was open during the largest burst could not be distinguished from one that the pool keeps for the next such burst.
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
    """The number of sockets of this process."""
    links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return sum(os.path.islink(link) and os.readlink(link).startswith("socket:") for link in links)


def many_files():
    """Raises the soft fd limit of this process to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
