# A client with a connection for each request, which it closes after successes and failures.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/checks.py"
}
