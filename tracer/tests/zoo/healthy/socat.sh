# socat, a process for each connection: the backend restarts under 30 idle ones, half-closes pass
# through, and slow and stalled clients block the connections to the backend.
packages="socat"
reduced=yes
short=yes

backend=
start() {
    start_backend
    background socat "TCP-LISTEN:$PORT,bind=127.0.0.1,fork,reuseaddr,backlog=128" "TCP:127.0.0.1:$((PORT + 1))"
    background socat "TCP-LISTEN:$((PORT + 2)),bind=127.0.0.1,fork,reuseaddr" "TCP:127.0.0.1:$((PORT + 3))"
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 3))
    ready "$PORT" $((PORT + 2)) $((PORT + 3))
}

start_backend() {
    background "$PYTHON" "$PROGRAMS/backend.py" lines $((PORT + 1))
    backend=$!
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" idle "127.0.0.1:$PORT" --count 30 --every "$(scaled 5)"
    background "$PYTHON" "$PROGRAMS/client.py" half "127.0.0.1:$PORT" --count 2 --every 4
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$((PORT + 2))" --count 3
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$((PORT + 2))" --count 6 --pause "$(scaled 4)"
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    start_backend
}
