"""nginx as a proxy with a pool of upstream connections: `nginx.py KIND UPSTREAM`.

loaded: one client makes a request now and then; one connection of the pool is used, the rest are idle.
idle: there are no more requests; the pool and the clients' connections are idle.
stalled: nothing is buffered, and the clients do not read the large responses that they requested.
"""

import http.client
import os
import select
import socket
import sys

from orchestra import (
    PACE_S, as_nobody, conduct, descendants, free_port, judge, private_directory, program, say,
    start, stay, wait_for_port,
)

POOL = 20
STALLED = 8
BIG = 50_000_000

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_timeout 1h;
    send_timeout 1h;
    upstream backend {{
        server {upstream};
        keepalive {pool};
        keepalive_timeout 1h;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering {buffering};
            proxy_read_timeout 1h;
        }}
    }}
}}
"""


def nginx(upstream, buffering):
    """Starts nginx; returns its process and its port."""
    directory = private_directory("nginx")
    port = free_port()
    path = os.path.join(directory, "nginx.conf")
    with open(path, "w") as file:
        file.write(CONFIGURATION.format(
            directory=directory, port=port, upstream=upstream, pool=POOL, buffering=buffering,
        ))
    # Only root can write the compiled-in log; nginx only warns about it.
    server = start(
        program("nginx", "/usr/sbin/nginx"), "-c", path, "-p", directory, "-e", "stderr",
        **as_nobody(),
    )
    wait_for_port(port)
    return server, port


def burst(port):
    """As many requests at once as the pool holds; each response takes a while."""
    clients = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(POOL)]
    for client in clients:
        client.request("GET", "/slow?n=4000&rate=4000")
    for client in clients:
        client.getresponse().read()
    return clients


def loaded(upstream):
    server, port = nginx(upstream, "on")
    clients = burst(port)
    judge(os.getpid(), server.pid, *descendants(server.pid))
    say("ready")
    while not select.select([0], [], [], PACE_S / 10)[0]:
        clients[0].request("GET", "/bytes?n=100")
        clients[0].getresponse().read()


def idle(upstream):
    server, port = nginx(upstream, "on")
    clients = burst(port)
    judge(os.getpid(), server.pid, *descendants(server.pid))
    stay()
    clients.clear()


def stalled(upstream):
    server, port = nginx(upstream, "off")
    clients = []
    for _ in range(STALLED):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"GET /bytes?n=%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % BIG)
        client.recv(1)
        clients.append(client)
    # The clients are the cause, and are not judged here.
    judge(server.pid, *descendants(server.pid))
    stay()
    clients.clear()


kind, upstream = sys.argv[1:]
conduct(lambda: {"loaded": loaded, "idle": idle, "stalled": stalled}[kind](upstream))
