# A requests pool of 50 in bursts of 50, before a server that closes idle connections.
pip="requests"
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --pool 50 --low "$(scaled 1.5)" --high "$(scaled 2.5)"
}
