"""A TCP forwarder from PORT to PORT + 1, and, with `--clients`, its clients.

It forwards EOF in both directions and closes both sockets after both EOFs, as sshd, haproxy and stunnel do. So
after the backend has closed, the socket to the backend is in CLOSE_WAIT for as long as the client stays.

--leak upstream   when a client closes, it closes the client's socket and forgets the backend's
--leak both       when one side closes, it stops forwarding for both, and closes neither
--clients N       run the clients, not the forwarder: N of them make a request and are idle, check their connection
                  every 4 to 9 × `--idle`, and replace it if it was closed; another one makes a request every
                  fifth of `--idle` and closes, 25 times if the forwarder is to leak, and records when
"""

import argparse
import asyncio
import random
import select

import zoo

# The backend closes idle connections after 5 s, but not those of the idle clients.
SHORT = b"GET /bytes?n=200 HTTP/1.1\r\nHost: zoo\r\n\r\n"
IDLE = b"GET /bytes?n=200&keep=86400 HTTP/1.1\r\nHost: zoo\r\n\r\n"
forgotten = []


async def forward(options):
    async def copy(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            if not options.leak:
                writer.write_eof()
        except (ConnectionError, OSError):
            pass

    async def serve(reader, writer):
        first = await reader.read(65536)
        if not first:
            writer.close()
            return
        try:
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", zoo.PORT + 1)
        except OSError:
            writer.close()
            return
        upstream.write(first)
        up = asyncio.create_task(copy(reader, upstream))
        down = asyncio.create_task(copy(upstream_reader, writer))
        if not options.leak:
            await asyncio.wait([up, down])
            writer.close()
            upstream.close()
            return
        await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
        if options.leak == "upstream" and up.done():
            writer.close()
            forgotten.append((down, upstream_reader, upstream))
        elif options.leak == "upstream":
            # The backend has closed: handled as in the healthy program.
            writer.write_eof()
            await up
            writer.close()
            upstream.close()
        else:
            forgotten.append((reader, writer, upstream_reader, upstream))

    server = await asyncio.start_server(serve, "127.0.0.1", zoo.PORT, backlog=1024)
    await server.serve_forever()


async def request(data):
    """A connection on which one response was read, or None."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", zoo.PORT)
    except OSError:
        return None
    try:
        writer.write(data)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(200)
        # A client that does not check a connection does not read from it either.
        writer.transport.pause_reading()
        return writer
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
        return None


def has_ended(writer):
    poll = select.poll()
    poll.register(writer.get_extra_info("socket").fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))


async def idle_client():
    writer = None
    while True:
        if writer is None:
            writer = await request(IDLE)
        await asyncio.sleep(random.uniform(4, 9) * zoo.IDLE)
        if writer is not None and has_ended(writer):
            writer.close()
            writer = None


async def short_client(leaks):
    count = 0
    while leaks is None or count < leaks:
        writer = await request(SHORT)
        if writer is not None:
            writer.close()
            count += 1
            if leaks is not None:
                zoo.event(zoo.KEEP)
        await asyncio.sleep(zoo.PACE)
    await asyncio.sleep(1e9)


async def use(options):
    leaks = zoo.LEAKS if options.leak else None
    await asyncio.gather(*(idle_client() for _ in range(options.clients)), short_client(leaks))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--leak", choices=["upstream", "both"])
    parser.add_argument("--clients", type=int)
    options = parser.parse_args()
    zoo.many_files()
    asyncio.run(forward(options) if options.clients is None else use(options))


main()
