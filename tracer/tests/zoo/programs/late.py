"""A server on PORT + 1 that works on requests for up to 3 × `--idle`, and, with `--clients`, its clients.

Eight clients wait for their responses. Every fifth of `--idle`, a client of another kind connects, whose request takes
half of `--idle`.

--to half       all clients close their sending side after the request, and the server reads to EOF before it works
--to giveup     clients of the other kind close before they have their response, and respond to it with a reset
--leak          the server does not close 25 sockets of clients of the other kind: with `half`, it forgets them
                after the response; with `giveup`, in the path that handles the failed write
--clients       run the clients, not the server
"""

import argparse
import random
import socket
import time

import zoo

kept = []


def read_request(connection, to_eof):
    request = b""
    while data := connection.recv(4096):
        request += data
        if not to_eof and request.endswith(b"\n"):
            break
    return request


def serve(connection, options):
    request = read_request(connection, options.to == "half")
    is_other = request == b"OTHER\n"
    time.sleep(zoo.IDLE / 2 if is_other else random.uniform(0.2, 3) * zoo.IDLE)
    try:
        for _ in range(2):
            connection.sendall(b"r" * 200)
            time.sleep(0.2)
    except OSError:
        pass
    if is_other and options.leak:
        kept.append(connection)
        zoo.event()
    else:
        connection.close()


def server(options):
    listener = socket.create_server(("127.0.0.1", zoo.PORT + 1), backlog=128)
    while True:
        connection, _ = listener.accept()
        zoo.in_thread(serve, connection, options)


def send(request, to_eof):
    connection = socket.create_connection(("127.0.0.1", zoo.PORT + 1))
    connection.sendall(request)
    if to_eof:
        connection.shutdown(socket.SHUT_WR)
    return connection


def receive(connection):
    left = 400
    while left > 0 and (data := connection.recv(left)):
        left -= len(data)
    connection.close()


def wait_for_responses(options):
    while True:
        receive(send(b"USUAL\n", options.to == "half"))


def clients(options):
    for _ in range(8):
        zoo.in_thread(wait_for_responses, options)
    count = 0
    while not options.leak or count < zoo.LEAKS:
        connection = send(b"OTHER\n", options.to == "half")
        if options.to == "half":
            zoo.in_thread(receive, connection)
        else:
            time.sleep(zoo.IDLE / 10)
            connection.close()
        count += 1
        time.sleep(zoo.PACE)
    zoo.forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", choices=["half", "giveup"])
    parser.add_argument("--leak", action="store_true")
    parser.add_argument("--clients", action="store_true")
    options = parser.parse_args()
    if options.clients:
        clients(options)
    else:
        server(options)


main()
