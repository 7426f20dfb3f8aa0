"""A small HTTP/1.1 or line-based server for exhibits that need a backend.

    backend.py http PORT [--keep-alive SECONDS]
    backend.py lines PORT

http: GET /small, /big?size=N (default 4 MB), /slow?seconds=N (then a short response), /poll?seconds=N
(a long poll), /events?seconds=N (an event stream). A connection that is idle for the keep-alive time
is closed; 0 means never.
lines: echoes each line; a line `flood N` is answered with N bytes; `after N` is answered after N
seconds.

SIGTERM closes everything and exits immediately, as in a restart of a real server.
"""

import argparse
import asyncio
import signal
from urllib.parse import parse_qs, urlsplit

CHUNK = b"x" * 16384


async def send(writer, size):
    while size > 0:
        writer.write(CHUNK[:size])
        size -= len(CHUNK)
        await writer.drain()


def head(length=None, kind="text/plain"):
    body = f"Content-Length: {length}" if length is not None else "Connection: close"
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n{body}\r\n\r\n".encode()


async def answer(target, writer):
    """Answers a request; returns whether the connection stays open."""
    url = urlsplit(target)
    value = {name: float(values[0]) for name, values in parse_qs(url.query).items()}
    if url.path.endswith("/big"):
        size = int(value.get("size", 4_000_000))
        writer.write(head(size))
        await send(writer, size)
    elif url.path.endswith(("/slow", "/poll")):
        await asyncio.sleep(value.get("seconds", 5))
        writer.write(head(5) + b"done\n")
    elif url.path.endswith("/events"):
        writer.write(head(kind="text/event-stream"))
        while True:
            writer.write(b"data: event\n\n")
            await writer.drain()
            await asyncio.sleep(value.get("seconds", 5))
    else:
        writer.write(head(6) + b"hello\n")
    await writer.drain()
    return True


async def http(reader, writer, keep_alive):
    while True:
        request = await asyncio.wait_for(reader.readline(), keep_alive or None)
        if not request:
            return
        length = 0
        while (line := await reader.readline()) not in (b"\r\n", b"\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        await reader.readexactly(length)
        if not await answer(request.split()[1].decode(), writer):
            return


async def lines(reader, writer):
    while line := await reader.readline():
        words = line.split()
        if words[:1] == [b"flood"]:
            await send(writer, int(words[1]))
        else:
            if words[:1] == [b"after"]:
                await asyncio.sleep(float(words[1]))
            writer.write(line)
        await writer.drain()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["http", "lines"])
    parser.add_argument("port", type=int)
    parser.add_argument("--keep-alive", type=float, default=75)
    arguments = parser.parse_args()

    async def serve(reader, writer):
        try:
            if arguments.mode == "http":
                await http(reader, writer, arguments.keep_alive)
            else:
                await lines(reader, writer)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, IndexError):
            pass
        finally:
            writer.close()

    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await asyncio.start_server(serve, "127.0.0.1", arguments.port, backlog=512)
    await ended.wait()
    server.close()


asyncio.run(main())
