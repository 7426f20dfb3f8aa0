# A server that reads requests to EOF, and answers after up to three idle times.

start() {
    background "$PYTHON" "$PROGRAMS/late.py" --to half
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/late.py" --to half --clients
}
