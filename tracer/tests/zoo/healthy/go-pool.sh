# An http.Transport with up to 50 idle connections in bursts of random size.
packages="golang-go"
reduced=yes

start() {
    source "$PROGRAMS/build.sh"
    go_zoo
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$DIR/go-zoo" pool
}
