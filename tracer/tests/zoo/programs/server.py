"""An HTTP/1.1 server on one port: `server.py PORT [--keep S] [--reset]`. It is healthy.

It closes a connection that has had no request for `--keep` seconds (0: never), with a reset if `--reset` is given.

| request | response |
| --- | --- |
| `/bytes?n=N` | N bytes |
| `/after?s=S` | 200 bytes after S seconds, so that a burst of requests needs as many connections |
| `/error` | status 500, 600 bytes |
| `/last` | 200 bytes, after which the server closes |
| `/stream?n=N&every=S` | N bytes at once and then every S seconds, as endless chunks |

With `keep=S` in any request, `--keep` is S on this connection.
"""

import argparse
import asyncio
import resource
import socket
import struct
from urllib.parse import parse_qs, urlsplit

OPTIONS = None


async def answer(reader, writer):
    keep = OPTIONS.keep
    while True:
        try:
            async with asyncio.timeout(keep or None):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            if OPTIONS.reset:
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        target = urlsplit(head.split(b" ", 2)[1].decode("latin-1"))
        query = {name: values[-1] for name, values in parse_qs(target.query).items()}
        keep = float(query.get("keep", keep))
        if not await respond(target.path, query, reader, writer):
            return


async def wait(seconds, reader):
    """Waits, but not longer than the client stays."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    while clock() < end and not reader.at_eof():
        await asyncio.sleep(min(0.25, max(0, end - clock())))


async def respond(path, query, reader, writer):
    """Sends the response; returns whether the connection may be used again."""
    if path == "/stream":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        data = b"d" * int(query.get("n", 1000))
        while not reader.at_eof():
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await writer.drain()
            await wait(float(query.get("every", 1)), reader)
        return False
    status, size, close = b"200 OK", int(query.get("n", 200)), path == "/last"
    if path == "/after":
        await wait(float(query.get("s", 0.3)), reader)
    if path == "/error":
        status, size = b"500 Internal Server Error", 600
    writer.write(
        b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n"
        % (status, size, b"Connection: close\r\n" if close else b"")
    )
    while size > 0:
        writer.write(b"d" * min(size, 65536))
        await writer.drain()
        size -= 65536
    return not close


async def serve(reader, writer):
    try:
        await answer(reader, writer)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--keep", type=float, default=5)
    parser.add_argument("--reset", action="store_true")
    OPTIONS = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = await asyncio.start_server(serve, "127.0.0.1", OPTIONS.port, backlog=1024)
    await server.serve_forever()


asyncio.run(main())
