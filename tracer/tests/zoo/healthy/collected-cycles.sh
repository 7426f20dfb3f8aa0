# Connections in reference cycles that only Python's cycle collector closes, every 1.75 × --idle.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/collector.py"
}
