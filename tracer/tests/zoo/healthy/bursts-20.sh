# A requests pool of 20, used by 20 threads every 2 × --idle; between the bursts all 20 are in CLOSE_WAIT.
pip="requests"
reduced=yes
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/server.py" $((PORT + 1))
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/bursts.py" --pool 20 --low "$(scaled 2)" --high "$(scaled 2)"
}
