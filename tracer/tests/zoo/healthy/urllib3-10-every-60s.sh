# A pool of 10 (urllib3) in bursts of 1 to 10 threads, 60 to 300 s apart, before a server that closes idle
# connections after 5 s. It is bounded, and it closes a dead connection when it takes it from the pool.
pip="urllib3"

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --library urllib3 --pool 10 --depth 1 \
        --low 60 --high 300
}
