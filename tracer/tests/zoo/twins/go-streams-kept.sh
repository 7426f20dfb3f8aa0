# As go-slow-readers, but 25 connections of which one line was read are kept in a slice.
packages="golang-go"

start() {
    source "$PROGRAMS/build.sh"
    go_zoo
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$DIR/go-zoo" slow leak
}

expect() {
    echo "undrained 127.0.0.1:$((PORT + 1)) 25"
}
