# A pool of 50 (httpx) in bursts of 1 to 50 threads, 30 to 90 s apart, before a server that closes idle
# connections after 5 s. It is bounded, and each request closes the dead connections.
pip="httpx"

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --library httpx --pool 50 --depth 1 \
        --low 30 --high 90
}
