# As gateway-forgets, but the gateway is under SIGSTOP for 2 × --idle when it has leaked 25, and its clients stay.
reduced=no

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    background "$PYTHON" "$PROGRAMS/gateway.py" --leak
    gateway=$!
    ready $((PORT + 1)) "$PORT"
}

load() {
    background "$PYTHON" "$PROGRAMS/gateway.py" --clients 10 --leak
    source "$PROGRAMS/freeze.sh"
    background freeze "$gateway"
}

expect() {
    echo "undrained,close-wait,never-read,abandoned 127.0.0.1:$((PORT + 1)) 25"
}
