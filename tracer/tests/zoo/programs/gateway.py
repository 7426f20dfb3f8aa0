"""An HTTP gateway from PORT to PORT + 1, a thread for each client, and, with `--clients`, its clients.

It sends to a client what it has read from upstream, and reads no more while the client reads nothing. Some clients,
each a separate process, read 64 KiB and then nothing. Every fifth of `--idle`, another one gives up: it closes after the first bytes of the response.

--leak        when a client gives up, the gateway closes the client's socket and forgets the one to upstream
--clients N   run the clients, not the gateway; N of them stall
"""

import argparse
import os
import socket
import time

import zoo

REQUEST = b"GET /bytes?n=400000000 HTTP/1.1\r\nHost: zoo\r\n\r\n"
forgotten = []


def serve(client, leak):
    request = client.recv(65536)
    if not request:
        client.close()
        return
    upstream = socket.create_connection(("127.0.0.1", zoo.PORT + 1))
    try:
        upstream.sendall(request)
        while data := upstream.recv(65536):
            client.sendall(data)
    except OSError:
        if leak:
            forgotten.append(upstream)
            return
    finally:
        client.close()
    upstream.close()


def gateway(leak):
    listener = socket.create_server(("127.0.0.1", zoo.PORT), backlog=128)
    while True:
        client, _ = listener.accept()
        zoo.in_thread(serve, client, leak)


def take_some(size):
    connection = socket.create_connection(("127.0.0.1", zoo.PORT))
    connection.sendall(REQUEST)
    while size > 0:
        size -= len(connection.recv(min(size, 65536)))
    return connection


def clients(stalled, leak):
    for _ in range(stalled):
        if os.fork() == 0:
            connection = take_some(65536)
            zoo.forever()
            connection.close()
    count = 0
    while not leak or count < zoo.LEAKS:
        time.sleep(zoo.PACE)
        take_some(4096).close()
        count += 1
        if leak:
            zoo.event()
    zoo.forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--leak", action="store_true")
    parser.add_argument("--clients", type=int)
    options = parser.parse_args()
    if options.clients is None:
        gateway(options.leak)
    else:
        clients(options.clients, options.leak)


main()
