# Node's fetch in bursts of 20; responses of which only the status is needed are canceled.
packages="nodejs"

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background node "$PROGRAMS/fetch.mjs"
}
