# Eight consumers with 20 prefetched messages unread in their sockets, which work for up to 2.5 × --idle on one.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/consumer.py" --broker
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/consumer.py"
}
