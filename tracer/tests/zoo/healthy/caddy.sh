# Caddy (Go) as a reverse proxy with slow and stalled clients and event streams, its backend restarted
# and its configuration reloaded under them.
packages="caddy"

backend=
start() {
    config Caddyfile <<END
{
    admin 127.0.0.1:$((PORT + 2))
    auto_https off
}
http://127.0.0.1:$PORT {
    reverse_proxy 127.0.0.1:$((PORT + 1)) {
        flush_interval -1
    }
}
END
    start_backend
    background caddy run --config "$DIR/Caddyfile" --adapter caddyfile
    ready "$PORT"
}

start_backend() {
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1)) --keep-alive 20
    backend=$!
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 4
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 8 --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" stream "127.0.0.1:$PORT" --count 10 --path "/events?seconds=$(scaled 3)"
    background "$PYTHON" "$PROGRAMS/client.py" giveup "127.0.0.1:$PORT" --count 4 --path "/slow?seconds=$(scaled 2)" --pause 3
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 30 --path /small --every "$(scaled 3)"
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    start_backend
    caddy reload --config "$DIR/Caddyfile" --adapter caddyfile --address "127.0.0.1:$((PORT + 2))" --force
}
