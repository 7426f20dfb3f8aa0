# An HTTP relay in Go that waits for its clients: six take 30 kB/s, four stall, others give up.
packages="golang-go"
reduced=yes
short=yes

start() {
    source "$PROGRAMS/build.sh"
    go_zoo
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
    background "$DIR/go-zoo" relay
    ready "$PORT"
}

load() {
    background "$DIR/go-zoo" clients
}
