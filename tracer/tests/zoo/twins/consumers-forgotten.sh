# As prefetch, but 25 consumers that failed are not closed, with the prefetched messages unread.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/consumer.py" --broker
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/consumer.py" --leak
}

expect() {
    echo "undrained 127.0.0.1:$((PORT + 1)) 25"
}
