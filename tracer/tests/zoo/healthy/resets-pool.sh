# A requests pool of 20 before a server that resets idle connections; the next burst discards the dead ones.
pip="requests"

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1)) --reset
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --pool 20 --depth 5 --low "$(scaled 1.5)" --high "$(scaled 2.5)"
}
