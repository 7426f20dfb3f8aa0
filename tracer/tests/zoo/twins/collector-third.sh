# As collected-cycles, but two of three are kept in a list: the collector closes a third, and 24 leak.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/collector.py" --leak
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 24"
}
