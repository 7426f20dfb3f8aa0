"""A session of `requests` for each thread, before a server that closes idle connections after 5 s.

--workers N  threads of a pool, each with a session in a `threading.local`, as in many applications: they are used in
             bursts of random size (half of them of all threads), 0.5 to 3 × `--idle` apart, so that most of the sessions have a dead connection;
             in addition, one by one, threads that run one job and close their session
--leak       a list keeps 25 sessions of the latter for statistics
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

import zoo

OPTIONS = zoo.arguments(("workers", 40))
LOCAL = threading.local()
URL = f"http://127.0.0.1:{zoo.PORT + 1}/after?s=0.3"
kept = []


def job(_):
    if not hasattr(LOCAL, "session"):
        LOCAL.session = requests.Session()
    try:
        return LOCAL.session.get(URL, timeout=30).content
    except requests.ConnectionError:
        return None


def one_job():
    session = requests.Session()
    session.get(URL, timeout=30)
    if OPTIONS.leak:
        kept.append(session)
        zoo.event(zoo.KEEP)
    else:
        session.close()


def start_threads():
    while not OPTIONS.leak or len(kept) < zoo.LEAKS:
        threading.Thread(target=one_job).start()
        time.sleep(zoo.SLOW_PACE)


def main():
    zoo.in_thread(start_threads)
    with ThreadPoolExecutor(OPTIONS.workers) as workers:
        while True:
            list(workers.map(job, range(zoo.depth(1, OPTIONS.workers))))
            zoo.between(0.5 * zoo.IDLE, 3 * zoo.IDLE)


main()
