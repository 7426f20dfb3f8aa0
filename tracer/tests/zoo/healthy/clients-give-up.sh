# A server that responds after up to 3 × --idle, and clients that give up before: it closes when it notices.
short=yes

start() {
    background "$PYTHON" "$PROGRAMS/late.py" --to giveup
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/late.py" --to giveup --clients
}
