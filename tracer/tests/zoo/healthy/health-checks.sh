# A server with busy clients and health checks that connect and close without a request.
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/accepts.py" --strange eof
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/accepts.py" --strange eof --clients
}
