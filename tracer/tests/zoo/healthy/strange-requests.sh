# A server that answers strange requests as it does those of its busy clients.

start() {
    background "$PYTHON" "$PROGRAMS/accepts.py" --strange send
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/accepts.py" --strange send --clients
}
