# A pool of 200 (aiohttp) in bursts of 50 to 200 tasks, 60 to 200 s apart, before a server that closes idle
# connections after 5 s. It is bounded, and it closes as soon as the server does.
pip="aiohttp"

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --library aiohttp --pool 200 --depth 50 \
        --low 60 --high 200
}
