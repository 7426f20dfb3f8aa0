"""A client with a pool of connections, used in bursts of threads before a server that closes idle connections.

Between two bursts, most connections of the pool are in CLOSE_WAIT: the libraries check a connection when they take
it from the pool, and most pools are LIFO, so the lower ones stay there for long. The next burst closes them.

--library requests, urllib3, httpx, aiohttp
--pool N            the size of the pool, and the maximum size of a burst
--depth N           the minimum size of a burst; the size is random between this and the pool's size;
                    half of the bursts are as large as the pool
--low S --high S    the time between two bursts is random between these
--leak sessions     each burst has a session of its own, and all sessions are kept: 6 bursts leak
--leak errors       in addition to the pool, requests fail one by one, and the list of errors keeps the responses: 25 leak
"""

import argparse
import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor

import zoo

# The server responds after this long, so that the requests of a burst are concurrent.
URL = f"http://127.0.0.1:{zoo.PORT + 1}/after?s=1"
BURSTS_THAT_LEAK = 6


def requests_session(pool):
    import requests

    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=pool))
    return lambda: session.get(URL, timeout=30).content


def urllib3_session(pool):
    import urllib3

    manager = urllib3.PoolManager(maxsize=pool)
    return lambda: manager.request("GET", URL, timeout=30).data


def httpx_session(pool):
    import httpx

    limits = httpx.Limits(
        max_connections=pool, max_keepalive_connections=pool, keepalive_expiry=3600
    )
    client = httpx.Client(limits=limits, timeout=30, trust_env=False)
    return lambda: client.get(URL).content


# Responses that failed and are kept.
errors = []
SESSIONS = {"requests": requests_session, "urllib3": urllib3_session, "httpx": httpx_session}


def attempt(get):
    try:
        get()
    except Exception as error:
        # A server may close a connection just as a request is sent on it; clients have to handle that.
        print(f"{type(error).__name__}: {error}", flush=True)


def burst(workers, get, depth):
    list(workers.map(attempt, [get] * depth))


def use_in_threads(options):
    new_session = SESSIONS[options.library]
    sessions = [new_session(options.pool)]
    is_over = False
    with ThreadPoolExecutor(options.pool) as workers:
        while True:
            had_all = len(errors) == zoo.LEAKS
            depth = zoo.depth(options.depth, options.pool)
            burst(workers, sessions[-1], depth)
            if had_all and depth == options.pool and not is_over:
                # This burst shows that the pool does not use the leaked connections.
                is_over = True
                zoo.event(zoo.KEEP)
            if options.leak == "sessions":
                zoo.event(zoo.KEEP)
                if len(sessions) == BURSTS_THAT_LEAK:
                    # On a slow machine, a burst uses fewer connections than threads.
                    (zoo.DIR / "leaked").write_text(f"{zoo.sockets()}\n")
                    zoo.forever()
                sessions.append(new_session(options.pool))
            zoo.between(options.low, options.high)


async def use_in_tasks(options):
    import aiohttp

    connector = aiohttp.TCPConnector(limit=options.pool, keepalive_timeout=3600)

    async def get():
        async with session.get(URL) as response:
            await response.read()

    async with aiohttp.ClientSession(connector=connector) as session:
        while True:
            depth = zoo.depth(options.depth, options.pool)
            await asyncio.gather(*(get() for _ in range(depth)), return_exceptions=True)
            await asyncio.sleep(random.uniform(options.low, options.high))


def fail_now_and_then():
    import requests

    for _ in range(zoo.LEAKS):
        time.sleep(zoo.SLOW_PACE)
        try:
            url = f"http://127.0.0.1:{zoo.PORT + 1}/error"
            requests.get(url, stream=True, timeout=30).raise_for_status()
        except requests.HTTPError as error:
            # The traceback and the response live as long as the error.
            errors.append(error)
            zoo.event(zoo.KEEP)
    zoo.forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", default="requests")
    parser.add_argument("--pool", type=int, default=50)
    parser.add_argument("--depth", type=int, default=0)
    parser.add_argument("--low", type=float, default=45)
    parser.add_argument("--high", type=float, default=90)
    parser.add_argument("--leak", choices=["sessions", "errors"])
    options = parser.parse_args()
    options.depth = options.depth or options.pool
    if options.library == "aiohttp":
        asyncio.run(use_in_tasks(options))
    if options.leak == "errors":
        zoo.in_thread(fail_now_and_then)
    use_in_threads(options)


main()
