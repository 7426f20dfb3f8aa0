# As health-checks, but the server keeps the connections of 25 health checks after it has read EOF.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/accepts.py" --strange eof --leak
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/accepts.py" --strange eof --leak --clients
}

expect() {
    echo "close-wait,ghost :$((PORT + 1)) 25"
}
