# As clients-give-up, but the path that handles the failed write does not close: 25 dead sockets.
reduced=no

start() {
    background "$PYTHON" "$PROGRAMS/late.py" --to giveup --leak
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/late.py" --to giveup --leak --clients
}

expect() {
    echo "ghost,close-wait :$((PORT + 1)) 25"
}
