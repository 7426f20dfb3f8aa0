# redis-py's pool with bursts of 1 to 50, before a redis-server that closes idle connections.
packages="redis-server"
pip="redis"
reduced=yes

start() {
    background redis-server --port $((PORT + 1)) --bind 127.0.0.1 --save "" --appendonly no --dir "$DIR" \
        --timeout 5
    ready $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/pools.py" --to redis
}
