# A requests pool of 30 whose process is under SIGSTOP for 2 × --idle, while its server closes the connections.
pip="requests"
reduced=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --pool 30 --low "$(scaled 1)" --high "$(scaled 2)"
    client=$!
}

disturb() {
    background freeze
}

freeze() {
    kill -STOP "$client"
    sleep "$(scaled 2)"
    kill -CONT "$client"
}
