# As forwarder-restart, but it forgets the backend's connection when a client closes first: 25, in addition to the 50 that wait.
reduced=no

start() {
    backend
    background "$PYTHON" "$PROGRAMS/forward.py" --leak upstream
    ready "$PORT"
}

backend() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    backend=$!
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/forward.py" --clients 50 --leak upstream
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    backend
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 25"
}
