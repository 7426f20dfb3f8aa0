# Connections in reference cycles that only Python's cycle collector closes, every one and three quarters of an idle time.
reduced=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/collector.py"
}
