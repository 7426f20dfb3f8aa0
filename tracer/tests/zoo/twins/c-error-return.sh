# As c-client, but a return on the error path does not close: 25 leak one by one.
packages="gcc libc6-dev"
reduced=yes

start() {
    source "$PROGRAMS/build.sh"
    c_program errors
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$DIR/errors" leak
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 25"
}
