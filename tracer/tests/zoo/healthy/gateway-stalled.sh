# A gateway with a thread for each client, of which 10 stall: it waits for them and does not read from upstream.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    background "$PYTHON" "$PROGRAMS/gateway.py"
    ready $((PORT + 1)) "$PORT"
}

load() {
    background "$PYTHON" "$PROGRAMS/gateway.py" --clients 10
}
