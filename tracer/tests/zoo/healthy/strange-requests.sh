# A server that handles requests with an unknown method like those of its busy clients.

start() {
    background "$PYTHON" "$PROGRAMS/accepts.py" --strange send
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/accepts.py" --strange send --clients
}
