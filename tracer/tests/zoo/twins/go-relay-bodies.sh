# As go-relay, but the response from upstream is not closed when a client gives up, 25 times.
packages="golang-go"

start() {
    source "$PROGRAMS/build.sh"
    go_zoo
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
    background "$DIR/go-zoo" relay leak
    ready "$PORT"
}

load() {
    background "$DIR/go-zoo" clients leak
}

expect() {
    echo "abandoned,undrained,close-wait,ghost,body-not-closed 127.0.0.1:$((PORT + 1)) 25"
}
