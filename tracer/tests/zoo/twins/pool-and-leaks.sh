# The pool of 50 of pool-50, and 25 responses to one destination that a list of errors keeps.
pip="requests"
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --pool 50 --low "$(scaled 1.5)" --high "$(scaled 2.5)" --leak errors
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 25"
}
