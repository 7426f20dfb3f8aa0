# A server that reads each request to EOF before it works on it, with responses that take longer than
# --idle: while it works, its connections are in CLOSE_WAIT, as the protocol requires.
reduced=yes
short=yes

start() {
    config server.py <<'END'
import socket, sys, threading, time

port, pause = int(sys.argv[1]), float(sys.argv[2])

def serve(connection):
    with connection:
        while connection.recv(4096):
            pass
        time.sleep(pause)
        connection.sendall(b"done\n")

with socket.create_server(("127.0.0.1", port), backlog=100) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
END
    background "$PYTHON" "$DIR/server.py" "$PORT" "$(scaled 3)"
    ready "$PORT"
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" half "127.0.0.1:$PORT" --count 12 --every 3
}
