# As gateway-forgets, but the gateway is under SIGSTOP for two idle times when it has leaked 25, and its clients stay.
reduced=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    background "$PYTHON" "$PROGRAMS/gateway.py" --leak
    gateway=$!
    ready $((PORT + 1)) "$PORT"
}

load() {
    background "$PYTHON" "$PROGRAMS/gateway.py" --clients 10 --leak
    background freeze
}

freeze() {
    sleep "$(scaled 6)"
    kill -STOP "$gateway"
    sleep "$(scaled 2)"
    kill -CONT "$gateway"
    # To be found within three idle times from here: five after what is written down.
    awk -v now="$(date +%s.%N)" -v idle="$IDLE" 'BEGIN { printf "%.3f\n", now - 2 * idle }' >"$DIR/last-event"
}

expect() {
    echo "undrained,never-read,abandoned 127.0.0.1:$((PORT + 1)) 25"
}
