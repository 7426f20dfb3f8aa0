# A pool of 50 (aiohttp) in bursts of 1 to 50 tasks, 20 to 90 s apart, before a server that closes idle
# connections after 5 s. It is bounded, and it closes as soon as the server does.
pip="aiohttp"

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --library aiohttp --pool 50 --depth 1 \
        --low 20 --high 90
}
