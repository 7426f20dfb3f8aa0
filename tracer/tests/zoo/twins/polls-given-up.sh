# As long-polls, but polls that timed out are not closed: 25, which the server answers and closes.
reduced=no

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/polls.py" --leak
}

expect() {
    echo "close-wait,ghost,undrained 127.0.0.1:$((PORT + 1)) 25"
}
