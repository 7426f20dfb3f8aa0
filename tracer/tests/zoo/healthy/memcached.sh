# memcached, restarted under pools: one notices closed connections late, one at once.
packages="memcached"

memcached=
start() {
    start_server
}

start_server() {
    background memcached -u nobody -l 127.0.0.1 -p "$PORT" -U 0
    memcached=$!
    ready "$PORT"
}

# The response to an unknown command is a line, which is enough for these clients.
load() {
    background "$PYTHON" "$PROGRAMS/client.py" idle "127.0.0.1:$PORT" --count 50 --every "$(scaled 5)"
    background "$PYTHON" "$PROGRAMS/client.py" idle "127.0.0.1:$PORT" --count 20 --every "$(scaled 2)" --watch
}

disturb() {
    kill "$memcached"
    wait "$memcached" || true
    start_server
}
