# Twenty subscribers of redis that read every message, and one that renews its subscription.
packages="redis-server"
pip="redis"

start() {
    background redis-server --port $((PORT + 1)) --bind 127.0.0.1 --save "" --appendonly no --dir "$DIR"
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/subscriber.py"
}
