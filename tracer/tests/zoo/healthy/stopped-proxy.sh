# A proxy (haproxy) that is stopped for 3 × --idle with stalled clients, which drain it meanwhile, and
# then continues.
packages="haproxy"
reduced=yes
short=yes

haproxy=
start() {
    config haproxy.cfg <<END
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen web
    bind 127.0.0.1:$PORT
    server one 127.0.0.1:$((PORT + 1))
END
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1)) --keep-alive 0
    background haproxy -db -f "$DIR/haproxy.cfg"
    haproxy=$!
    ready "$PORT" $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 12 --path "/big?size=12000000" --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 10 --path /small --every "$(scaled 1)"
}

disturb() {
    kill -STOP "$haproxy"
    background resume
}

resume() {
    sleep "$(scaled 3)"
    kill -CONT "$haproxy"
}
