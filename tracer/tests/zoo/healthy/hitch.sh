# hitch, a TLS proxy, before a backend that restarts under idle connections, with slow downloads.
packages="hitch openssl"

backend=
start() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
        -keyout "$DIR/key.pem" -out "$DIR/cert.pem" 2>/dev/null
    cat "$DIR/key.pem" "$DIR/cert.pem" >"$DIR/both.pem"
    config hitch.conf <<END
frontend = "[127.0.0.1]:$PORT"
backend = "[127.0.0.1]:$((PORT + 1))"
pem-file = "$DIR/both.pem"
workers = 1
daemon = off
user = "nobody"
END
    start_backend
    chmod 644 "$DIR/both.pem"
    background hitch --config="$DIR/hitch.conf"
    ready "$PORT"
}

start_backend() {
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1)) --keep-alive 0
    backend=$!
    ready $((PORT + 1))
}

load() {
    local number
    for ((number = 0; number < 15; number++)); do
        every 1 curl -k -s -o /dev/null "https://127.0.0.1:$PORT/poll?seconds=$(scaled 5)"
    done
    for ((number = 0; number < 4; number++)); do
        every 1 curl -k -s -o /dev/null --limit-rate 20k "https://127.0.0.1:$PORT/big?size=2000000"
    done
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    start_backend
}
