# A pool of 10 (requests) in bursts of 10 threads, 10 to 30 s apart, before a server that closes idle
# connections after 5 s. It is bounded, and it closes a dead connection when it takes it from the pool.
pip="requests"
reduced=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --library requests --pool 10 --depth 10 \
        --low 10 --high 30
}
