# As gateway-stalled, but it forgets the upstream connection of clients that give up: 25, in addition to the 10 that it waits for.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    background "$PYTHON" "$PROGRAMS/gateway.py" --leak
    ready $((PORT + 1)) "$PORT"
}

load() {
    background "$PYTHON" "$PROGRAMS/gateway.py" --clients 10 --leak
}

expect() {
    echo "undrained,close-wait,never-read,abandoned 127.0.0.1:$((PORT + 1)) 25"
}
