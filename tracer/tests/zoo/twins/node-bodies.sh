# As node-fetch, but 25 responses of which only the status was needed are kept in a log.
packages="nodejs"
reduced=no

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background node "$PROGRAMS/fetch.mjs" leak
}

expect() {
    echo "undrained 127.0.0.1:$((PORT + 1)) 25"
}
