# A pool of 50 (requests) in bursts of 1 to 50 threads, 45 to 90 s apart, before a server that closes idle
# connections after 5 s. It is bounded, and it closes a dead connection when it takes it from the pool.
pip="requests"
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --library requests --pool 50 --depth 1 \
        --low 45 --high 90
}
