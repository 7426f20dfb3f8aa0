# A server that answers after up to three idle times, and clients that give up before: it closes when it learns of it.

start() {
    background "$PYTHON" "$PROGRAMS/late.py" --to giveup
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/late.py" --to giveup --clients
}
