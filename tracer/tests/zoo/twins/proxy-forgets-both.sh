# As forwarder-restart without idle clients, but when one side closes it closes neither: 25 on each side.
reduced=yes
short=yes

start() {
    backend
    background "$PYTHON" "$PROGRAMS/forward.py" --leak both
    ready "$PORT"
}

backend() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    backend=$!
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/forward.py" --clients 0 --leak both
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 25"
    echo "close-wait,ghost :$PORT 25"
}
