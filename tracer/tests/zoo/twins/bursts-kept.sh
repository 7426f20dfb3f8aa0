# As bursts-20, but each burst has a session of its own, and all are kept: 6 bursts of 20 (a slow machine needs a few
# connections less) leak.
pip="requests"
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --pool 20 --low "$(scaled 2)" --high "$(scaled 2)" --leak sessions
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) $(cat leaked)"
}
