# A pool of 200 (requests) in bursts of 20 to 200 threads, 60 to 120 s apart, before a server that closes idle
# connections after 5 s. It is bounded, and it closes a dead connection when it takes it from the pool.
pip="requests"

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --library requests --pool 200 --depth 20 \
        --low 60 --high 120
}
