"""Servers that leak, and servers that do not. Their clients are a separate process, which is not judged."""

import asyncio
import socket
import threading

import protocol
from peer import echo

REQUEST = b"GET / HTTP/1.1\r\nHost: example\r\n\r\n"


def listen():
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def idle_clients(listener):
    """Half of them send a request and read the response; then all stay idle."""
    address = listener.getsockname()
    listener.close()
    held = []
    for number in protocol.paced():
        connection = socket.create_connection(address)
        if number % 2 == 0:
            connection.sendall(REQUEST)
            connection.recv(65536)
        held.append(connection)
    protocol.forever()


def asking_clients(listener, patient):
    """All of them send a request. Patient ones wait for the response, the others give up."""
    address = listener.getsockname()
    listener.close()
    held = []
    for _ in protocol.paced():
        connection = socket.create_connection(address)
        connection.sendall(REQUEST)
        if patient:
            held.append(connection)
        else:
            connection.close()
    protocol.forever()


def accept_leak(clients):
    """Accepts connections and forgets them."""
    listener = listen()
    protocol.fork(asking_clients, listener, clients == "patient")
    return [listener] + [listener.accept() for _ in range(protocol.COUNT)]


def threaded():
    """A thread for each connection, which waits for data."""
    listener = listen()
    protocol.fork(idle_clients, listener)
    for _ in range(protocol.COUNT):
        connection, _ = listener.accept()
        threading.Thread(target=echo, args=(connection,), daemon=True).start()
    return listener


def event_loop():
    listener = listen()
    protocol.fork(idle_clients, listener)
    arrived = threading.Semaphore(0)

    async def serve(reader, writer):
        arrived.release()
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def main():
        server = await asyncio.start_server(serve, sock=listener)
        await server.serve_forever()

    threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
    for _ in range(protocol.COUNT):
        arrived.acquire()


protocol.run({"accept-leak": accept_leak, "threaded": threaded, "event-loop": event_loop})
