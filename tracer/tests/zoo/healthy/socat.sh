# socat, a process for each connection: the backend restarts under 30 idle ones, and half-closes pass
# through.
packages="socat"
reduced=yes

backend=
start() {
    start_backend
    background socat "TCP-LISTEN:$PORT,bind=127.0.0.1,fork,reuseaddr,backlog=128" "TCP:127.0.0.1:$((PORT + 1))"
    ready "$PORT"
}

start_backend() {
    background "$PYTHON" "$PROGRAMS/backend.py" lines $((PORT + 1))
    backend=$!
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" idle "127.0.0.1:$PORT" --count 30 --every "$(scaled 5)"
    background "$PYTHON" "$PROGRAMS/client.py" half "127.0.0.1:$PORT" --count 2 --every 4
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    start_backend
}
