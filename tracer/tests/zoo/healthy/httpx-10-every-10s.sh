# A pool of 10 (httpx) in bursts of 10 threads, 10 to 20 s apart, before a server that closes idle
# connections after 5 s. It is bounded, and each request closes the dead connections.
pip="httpx"
reduced=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --library httpx --pool 10 --depth 10 \
        --low 10 --high 20
}
