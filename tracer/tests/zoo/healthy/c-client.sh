# A client in C with a connection for each request, which it closes after successes and failures.
packages="gcc libc6-dev"

start() {
    source "$PROGRAMS/build.sh"
    c_program errors
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$DIR/errors"
}
