"""HTTP clients that leak, and clients that do not. Each takes the URL to request."""

import asyncio
import socket
import threading
from urllib.parse import urlsplit

import protocol


def raw_request(url):
    """A connection that the server closes after its response."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port))
    target = f"{parts.path}?{parts.query}"
    request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode())
    return connection


def raw_unread(url):
    return [raw_request(url) for _ in protocol.paced()]


def raw_read(url):
    held = []
    for _ in protocol.paced():
        connection = raw_request(url)
        while connection.recv(65536):
            pass
        held.append(connection)
    return held


def requests_stream(url):
    """A session and a response for each request, neither read nor closed."""
    import requests

    held = []
    for _ in protocol.paced():
        session = requests.Session()
        held.append((session, session.get(url, stream=True)))
    return held


def requests_session_each(url):
    """The response is read; the session is forgotten."""
    import requests

    held = []
    for _ in protocol.paced():
        session = requests.Session()
        session.get(url)
        held.append(session)
    return held


def requests_shared(url):
    """One shared session; every response is read."""
    import requests

    session = requests.Session()
    for _ in protocol.paced():
        session.get(url)
    return session


def urllib3_stream(url):
    import urllib3

    held = []
    for _ in protocol.paced():
        pool = urllib3.PoolManager()
        held.append((pool, pool.request("GET", url, preload_content=False)))
    return held


def urllib3_pool(url):
    """Ten connections at a time, all returned to the pool and idle from then on."""
    import urllib3

    pool = urllib3.PoolManager(maxsize=10)
    for _ in range(3):
        responses = [pool.request("GET", url, preload_content=False) for _ in range(10)]
        for response in responses:
            response.read()
            response.release_conn()
    return pool


def httpx_stream(url):
    import httpx

    held = []
    for _ in protocol.paced():
        client = httpx.Client()
        request = client.build_request("GET", url)
        held.append((client, client.send(request, stream=True)))
    return held


def httpx_shared(url):
    import httpx

    client = httpx.Client()
    for _ in protocol.paced():
        client.get(url)
    return client


def in_event_loop(coroutine):
    """Runs it to completion in an event loop that keeps running in a thread."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


def aiohttp_unread(url):
    import aiohttp

    async def leak():
        session = aiohttp.ClientSession()
        held = [session]
        for _ in range(protocol.COUNT):
            held.append(await session.get(url))
            await asyncio.sleep(protocol.PACE_S)
        return held

    return in_event_loop(leak())


def aiohttp_shared(url):
    import aiohttp

    async def ask():
        session = aiohttp.ClientSession()
        for _ in range(protocol.COUNT):
            async with session.get(url) as response:
                await response.read()
            await asyncio.sleep(protocol.PACE_S)
        return session

    return in_event_loop(ask())


protocol.run(
    {
        "raw-unread": raw_unread,
        "raw-read": raw_read,
        "requests-stream": requests_stream,
        "requests-session-each": requests_session_each,
        "requests-shared": requests_shared,
        "urllib3-stream": urllib3_stream,
        "urllib3-pool": urllib3_pool,
        "httpx-stream": httpx_stream,
        "httpx-shared": httpx_shared,
        "aiohttp-unread": aiohttp_unread,
        "aiohttp-shared": aiohttp_shared,
    }
)
