# haproxy in TCP mode: its backend restarts under 50 idle connections of a pool that notices it late.
# haproxy has forwarded the FIN and waits for the client to close: there is nothing else for it to do.
packages="haproxy"
reduced=yes
short=yes

backend=
start() {
    config haproxy.cfg <<END
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen lines
    bind 127.0.0.1:$PORT
    server one 127.0.0.1:$((PORT + 1))
END
    start_backend
    background haproxy -db -f "$DIR/haproxy.cfg"
    ready "$PORT"
}

start_backend() {
    background "$PYTHON" "$PROGRAMS/backend.py" lines $((PORT + 1))
    backend=$!
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" idle "127.0.0.1:$PORT" --count 50 --every "$(scaled 6)"
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    start_backend
}
