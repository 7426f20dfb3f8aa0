# A TCP forwarder whose backend restarts under 50 idle clients: it forwards EOF and waits for its clients to close.
reduced=yes
short=yes

start() {
    backend
    background "$PYTHON" "$PROGRAMS/forward.py"
    ready "$PORT"
}

backend() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    backend=$!
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/forward.py" --clients 50
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    backend
}
