# mosquitto, restarted under 30 subscribers that are silent except for keep-alive messages.
packages="mosquitto mosquitto-clients"

mosquitto=
start() {
    config mosquitto.conf <<END
listener $PORT 127.0.0.1
allow_anonymous true
END
    start_server
}

start_server() {
    background mosquitto -c "$DIR/mosquitto.conf"
    mosquitto=$!
    ready "$PORT"
}

load() {
    local number
    for ((number = 0; number < 30; number++)); do
        every 2 mosquitto_sub -p "$PORT" -t news -k 300
    done
    every "$(scaled 3)" mosquitto_pub -p "$PORT" -t news -m hello
}

disturb() {
    kill "$mosquitto"
    wait "$mosquitto" || true
    start_server
}
