# As resets-pool, but 25 responses that a list of errors keeps are never used again after the reset.
pip="requests"
reduced=no

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1)) --reset
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --pool 20 --depth 5 --low "$(scaled 1.5)" --high "$(scaled 2.5)" --leak errors
}

expect() {
    echo "ghost 127.0.0.1:$((PORT + 1)) 25"
}
