# A server that reads requests to EOF, and responds after up to 3 × --idle.

start() {
    background "$PYTHON" "$PROGRAMS/late.py" --to half
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/late.py" --to half --clients
}
