# As redis-pool, but 25 connections whose command failed are not released.
packages="redis-server"
pip="redis"
reduced=no

start() {
    background redis-server --port $((PORT + 1)) --bind 127.0.0.1 --save "" --appendonly no --dir "$DIR" \
        --timeout 5
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/pools.py" --to redis --leak
}

expect() {
    echo "close-wait,ghost 127.0.0.1:$((PORT + 1)) 25"
}
