# As checks, but the error path does not close: 25 leak one by one among 75 successes that are closed.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/checks.py" --leak
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 25"
}
