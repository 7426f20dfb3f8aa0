"""Shared by all programs of the corpus: how they communicate with the runner, how fast they leak,
and how they start other processes.

A program is a function. Its result is kept alive until the runner closes standard input.
"""

import ctypes
import os
import signal
import sys
import time
import traceback

PACE_S = int(os.environ.get("CORPUS_PACE_MS", "1000")) / 1000
IDLE_S = int(os.environ.get("CORPUS_IDLE_MS", "10000")) / 1000
COUNT = int(os.environ.get("CORPUS_COUNT", "25"))

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def say(line):
    print(line, flush=True)


def judge(pid):
    """Tells the runner that this process is to be judged, too."""
    say(f"judge {pid}")


def count(number):
    """Tells the runner the number of leaks if it is not CORPUS_COUNT."""
    say(f"count {number}")


def paced(total=COUNT):
    """The numbers from 0, with a pause between them, so that the leaks are at separate times."""
    for number in range(total):
        yield number
        time.sleep(PACE_S)


def fork(function, *arguments):
    """Runs a function in a child that dies with this process; returns the child's pid."""
    pid = os.fork()
    if pid != 0:
        return pid
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        function(*arguments)
    except BaseException:
        traceback.print_exc()
    os._exit(0)


def forever():
    """Waits forever, for children that have finished."""
    while True:
        signal.pause()


def run(programs):
    """Runs the program that the command line names, until standard input is closed."""
    name, *arguments = sys.argv[1:]
    judge(os.getpid())
    held = programs[name](*arguments)
    say("ready")
    sys.stdin.read()
    del held
