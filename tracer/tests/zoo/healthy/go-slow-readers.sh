# Eight goroutines read net.Conns through small buffers, and work for up to 2.5 × --idle on a part.
packages="golang-go"
reduced=yes

start() {
    source "$PROGRAMS/build.sh"
    go_zoo
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$DIR/go-zoo" slow
}
