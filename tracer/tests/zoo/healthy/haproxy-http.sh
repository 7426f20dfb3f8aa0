# haproxy in HTTP mode with slow and stalled clients, and reloads under them: the old process serves
# them until they are done.
packages="haproxy"
reduced=yes

haproxy=
start() {
    config haproxy.cfg <<END
global
    pidfile $DIR/haproxy.pid
defaults
    mode http
    timeout connect 5s
    timeout client 10m
    timeout server 10m
    timeout http-keep-alive 10m
listen web
    bind 127.0.0.1:$PORT
    server one 127.0.0.1:$((PORT + 1))
END
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1))
    ready $((PORT + 1))
    background haproxy -W -db -f "$DIR/haproxy.cfg"
    haproxy=$!
    ready "$PORT"
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 4 --path "/big?size=2000000"
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 8 --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 20 --path /small --every "$(scaled 2)"
}

disturb() {
    kill -USR2 "$haproxy"
}
