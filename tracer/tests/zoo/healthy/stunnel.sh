# stunnel, one client and one server, before a backend that restarts under 50 idle connections, with
# slow and stalled clients. A half-closed tunnel waits for the side that is still open.
packages="stunnel4 openssl"

backend=
start() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
        -keyout "$DIR/key.pem" -out "$DIR/cert.pem" 2>/dev/null
    config stunnel.conf <<END
foreground = yes
pid = $DIR/stunnel.pid
[in]
client = yes
accept = 127.0.0.1:$PORT
connect = 127.0.0.1:$((PORT + 2))
[out]
accept = 127.0.0.1:$((PORT + 2))
connect = 127.0.0.1:$((PORT + 1))
cert = $DIR/cert.pem
key = $DIR/key.pem
[web-in]
client = yes
accept = 127.0.0.1:$((PORT + 3))
connect = 127.0.0.1:$((PORT + 4))
[web-out]
accept = 127.0.0.1:$((PORT + 4))
connect = 127.0.0.1:$((PORT + 5))
cert = $DIR/cert.pem
key = $DIR/key.pem
END
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 5))
    start_backend
    background stunnel "$DIR/stunnel.conf"
    ready "$PORT" $((PORT + 2)) $((PORT + 3)) $((PORT + 4)) $((PORT + 5))
}

start_backend() {
    background "$PYTHON" "$PROGRAMS/backend.py" lines $((PORT + 1))
    backend=$!
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" idle "127.0.0.1:$PORT" --count 50 --every "$(scaled 6)"
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$((PORT + 3))" --count 3
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$((PORT + 3))" --count 8 --pause "$(scaled 4)"
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    start_backend
}
