# sslh, which inspects the first bytes of a connection and forwards it, before a backend that restarts
# under idle connections; some clients never send a byte.
packages="sslh"

backend=
start() {
    start_backend
    background sslh-select --foreground --listen "127.0.0.1:$PORT" --http "127.0.0.1:$((PORT + 1))" \
        --timeout 3600
    ready "$PORT"
}

start_backend() {
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1)) --keep-alive 0
    backend=$!
    ready $((PORT + 1))
}

load() {
    local number
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 40 --path /small --every "$(scaled 5)"
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 6 --pause "$(scaled 4)"
    for ((number = 0; number < 10; number++)); do
        every 1 silent
    done
}

silent() {
    (exec 3<>"/dev/tcp/127.0.0.1/$PORT" && sleep "$(scaled 4)")
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    start_backend
}
