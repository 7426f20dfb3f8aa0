# privoxy, a thread for each client, with slow and stalled clients and clients that give up.
packages="privoxy"

start() {
    config privoxy.conf <<END
listen-address 127.0.0.1:$PORT
logdir $DIR
confdir /etc/privoxy
keep-alive-timeout 300
socket-timeout 600
END
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1))
    background /usr/sbin/privoxy --no-daemon "$DIR/privoxy.conf"
    ready "$PORT" $((PORT + 1))
}

load() {
    local backend="http://127.0.0.1:$((PORT + 1))"
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 4 --path "$backend/big"
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 10 --path "$backend/big" --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" giveup "127.0.0.1:$PORT" --count 3 --path "$backend/slow?seconds=$(scaled 1)" --pause 2
}
