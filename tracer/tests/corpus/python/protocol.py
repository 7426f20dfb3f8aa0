"""What every program of the corpus shares: how it talks to the runner, how fast it leaks, and how
it starts other processes.

A program is a function. What it returns is held until the runner closes the standard input.
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
    """Tells the runner how many leaks there are, where it is not CORPUS_COUNT."""
    say(f"count {number}")


def paced(total=COUNT):
    """The numbers from 0, slowly: what is done with each happens at a time of its own."""
    for number in range(total):
        yield number
        time.sleep(PACE_S)


def fork(function, *arguments):
    """Runs a function in a child that dies with this process; gives the child's pid."""
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
    """For children that have nothing more to do."""
    while True:
        signal.pause()


def run(programs):
    """Runs the program that the command line names, and stays until the standard input closes."""
    name, *arguments = sys.argv[1:]
    judge(os.getpid())
    held = programs[name](*arguments)
    say("ready")
    sys.stdin.read()
    del held
