# lighttpd, files for slow and stalled clients and for clients that give up; restarted under a pool.
packages="lighttpd"
reduced=yes

lighttpd=
start() {
    mkdir -p "$DIR/www"
    head -c 4000000 /dev/zero >"$DIR/www/big"
    echo hello >"$DIR/www/small"
    config lighttpd.conf <<END
server.document-root = "$DIR/www"
server.bind = "127.0.0.1"
server.port = $PORT
server.max-keep-alive-idle = 300
server.max-write-idle = 1200
END
    start_server
}

start_server() {
    background lighttpd -D -f "$DIR/lighttpd.conf"
    lighttpd=$!
    ready "$PORT"
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 5
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 5 --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" giveup "127.0.0.1:$PORT" --count 3 --pause 2
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 50 --path /small --every "$(scaled 4)"
}

disturb() {
    kill "$lighttpd"
    wait "$lighttpd" || true
    start_server
}
