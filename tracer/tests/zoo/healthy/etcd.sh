# etcd with watchers: responses that are streamed and silent for minutes.
packages="etcd-server"

start() {
    background etcd --data-dir "$DIR/data" --listen-client-urls "http://127.0.0.1:$PORT" \
        --advertise-client-urls "http://127.0.0.1:$PORT" --listen-peer-urls "http://127.0.0.1:$((PORT + 1))" \
        --initial-advertise-peer-urls "http://127.0.0.1:$((PORT + 1))" --initial-cluster "default=http://127.0.0.1:$((PORT + 1))"
    ready "$PORT"
}

load() {
    local number
    # The key is `news`, in base64.
    for ((number = 0; number < 20; number++)); do
        every 1 curl -s -N -o /dev/null -X POST -d '{"create_request": {"key": "bmV3cw=="}}' "http://127.0.0.1:$PORT/v3/watch"
    done
    every "$(scaled 3)" curl -s -o /dev/null -X POST -d '{"key": "bmV3cw==", "value": "eA=="}' "http://127.0.0.1:$PORT/v3/kv/put"
}
