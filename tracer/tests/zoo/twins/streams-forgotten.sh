# As slow-streams, but 25 streams of which only the status was needed are not closed.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/streams.py" --leak
}

expect() {
    echo "undrained 127.0.0.1:$((PORT + 1)) 25"
}
