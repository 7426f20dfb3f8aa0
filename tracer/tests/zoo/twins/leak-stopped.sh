# As error-path, but 25 leak in the first part of the run only; from then on all are closed.
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/checks.py" --pace 0.12 --leak
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 25"
}
