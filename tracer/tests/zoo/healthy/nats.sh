# nats-server, restarted under 20 silent subscribers, with pings that are further apart than --idle.
packages="nats-server"
pip="nats-py"

nats=
start() {
    config nats.conf <<END
listen: "127.0.0.1:$PORT"
ping_interval: "2m"
END
    start_server
}

start_server() {
    background nats-server -c "$DIR/nats.conf"
    nats=$!
    ready "$PORT"
}

load() {
    config subscribers.py <<'END'
import asyncio, sys
import nats

async def ignore(_):
    pass

async def main():
    address = f"nats://127.0.0.1:{sys.argv[1]}"
    clients = []
    for _ in range(20):
        client = await nats.connect(address, max_reconnect_attempts=-1, error_cb=ignore)
        await client.subscribe("news", cb=ignore)
        clients.append(client)
    while True:
        await asyncio.sleep(float(sys.argv[2]))
        if clients[0].is_connected:
            await clients[0].publish("news", b"hello")

asyncio.run(main())
END
    background "$PYTHON" "$DIR/subscribers.py" "$PORT" "$(scaled 4)"
}

disturb() {
    kill "$nats"
    wait "$nats" || true
    start_server
}
