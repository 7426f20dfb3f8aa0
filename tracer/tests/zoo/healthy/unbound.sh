# unbound over TCP: clients keep their connections between queries and let unbound close them; some
# keep a connection that unbound has closed until their next query.
packages="unbound"

start() {
    config unbound.conf <<END
server:
    interface: 127.0.0.1@$PORT
    port: $PORT
    username: ""
    chroot: ""
    directory: "$DIR"
    pidfile: "$DIR/unbound.pid"
    do-daemonize: no
    use-syslog: no
    tcp-idle-timeout: 8000
    incoming-num-tcp: 100
    local-zone: "example." static
    local-data: "www.example. A 192.0.2.1"
    module-config: "iterator"
END
    background unbound -d -c "$DIR/unbound.conf"
    ready "$PORT"
}

load() {
    config queries.py <<'END'
import socket, struct, sys, time

QUERY = bytes.fromhex("0001 0000 0001 0000 0000 0000 03777777 076578616d706c65 00 0001 0001")
port, count, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
connections = [None] * count
while True:
    for index, connection in enumerate(connections):
        try:
            if connection is None:
                connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(struct.pack("!H", len(QUERY)) + QUERY)
            answer = connection.recv(4096)
        except OSError:
            answer = b""
        if not answer:
            connection.close()
            connection = None
        connections[index] = connection
    time.sleep(pause)
END
    background "$PYTHON" "$DIR/queries.py" "$PORT" 20 "$(scaled 3)"
    background "$PYTHON" "$DIR/queries.py" "$PORT" 20 5
}
