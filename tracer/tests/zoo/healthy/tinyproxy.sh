# tinyproxy with stalled clients that resume reading, and tunnels (CONNECT) that are idle when their backend
# restarts.
packages="tinyproxy-bin"

backend=
start() {
    config tinyproxy.conf <<END
Port $PORT
Listen 127.0.0.1
Timeout 3600
MaxClients 200
Allow 127.0.0.1
PidFile "$DIR/tinyproxy.pid"
LogFile "$DIR/tinyproxy.log"
END
    start_backend
    background tinyproxy -d -c "$DIR/tinyproxy.conf"
    ready "$PORT"
}

start_backend() {
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1)) --keep-alive 0
    backend=$!
    ready $((PORT + 1))
}

load() {
    local backend="http://127.0.0.1:$((PORT + 1))" number
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 4 --path "$backend/big"
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 10 --path "$backend/big" --pause "$(scaled 4)"
    # Long polls through tunnels; curl closes when the backend has closed.
    for ((number = 0; number < 10; number++)); do
        every 2 curl -s -o /dev/null -p -x "http://127.0.0.1:$PORT" "$backend/poll?seconds=$(scaled 6)"
    done
}

disturb() {
    kill "$backend"
    wait "$backend" || true
    start_backend
}
