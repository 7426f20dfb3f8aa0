# Eight readers of endless responses that work for up to 2.5 × --idle on what they read, in one process.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/streams.py"
}
