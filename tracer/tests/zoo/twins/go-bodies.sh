# As go-pool, but 25 responses with status 500 are dropped without closing the body.
packages="golang-go"
reduced=no

start() {
    source "$PROGRAMS/build.sh"
    go_zoo
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$DIR/go-zoo" pool leak
}

expect() {
    echo "abandoned,undrained,close-wait,ghost,body-not-closed 127.0.0.1:$((PORT + 1)) 25"
}
