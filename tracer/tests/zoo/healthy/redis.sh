# redis, restarted under a pool that is used now and then, with subscribers that wait for messages and
# blocked readers of a queue.
packages="redis-server"
pip="redis"
reduced=yes

redis=
start() {
    start_server
}

start_server() {
    background redis-server --port "$PORT" --bind 127.0.0.1 --save "" --dir "$DIR" --daemonize no
    redis=$!
    ready "$PORT"
}

load() {
    config clients.py <<'END'
import sys, threading, time
import redis

port, every = int(sys.argv[1]), float(sys.argv[2])
client = redis.Redis(port=port, max_connections=100)
everyone = threading.Barrier(31)

def use():
    while True:
        everyone.wait()
        try:
            # Waits for a second, so that each thread needs a connection of its own.
            client.blpop("nothing", timeout=1)
        except redis.RedisError:
            pass

def subscribe():
    while True:
        try:
            for _ in messages():
                pass
        except redis.RedisError:
            time.sleep(1)

def messages():
    subscriber = redis.Redis(port=port).pubsub()
    subscriber.subscribe("news")
    return subscriber.listen()

def block():
    while True:
        try:
            redis.Redis(port=port).blpop("queue")
        except redis.RedisError:
            time.sleep(1)

for work in [use] * 30 + [subscribe] * 10 + [block] * 5:
    threading.Thread(target=work, daemon=True).start()
while True:
    everyone.wait()
    time.sleep(every)
    try:
        client.publish("news", "hello")
    except redis.RedisError:
        pass
END
    background "$PYTHON" "$DIR/clients.py" "$PORT" "$(scaled 4)"
}

disturb() {
    kill "$redis"
    wait "$redis" || true
    start_server
}
