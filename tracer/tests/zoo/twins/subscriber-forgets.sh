# As subscribers, but the one that renews forgets the connection of the old subscription, 25 times.
packages="redis-server"
pip="redis"
reduced=yes

start() {
    background redis-server --port $((PORT + 1)) --bind 127.0.0.1 --save "" --appendonly no --dir "$DIR"
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/subscriber.py" --leak
}

expect() {
    echo "undrained 127.0.0.1:$((PORT + 1)) 25"
}
