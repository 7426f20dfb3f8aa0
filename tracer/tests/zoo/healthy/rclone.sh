# rclone serves files over HTTP to six clients of 30 KB/s from a remote that is another server: its
# responses stay open, unread, while it waits for its clients.
packages="rclone lighttpd"
reduced=yes

start() {
    mkdir -p "$DIR/www"
    local number
    for number in 1 2 3 4 5 6; do
        head -c 8000000 /dev/zero >"$DIR/www/big$number"
    done
    config lighttpd.conf <<END
server.document-root = "$DIR/www"
server.bind = "127.0.0.1"
server.port = $((PORT + 1))
server.max-write-idle = 3600
server.modules += ("mod_dirlisting")
dir-listing.activate = "enable"
END
    background lighttpd -D -f "$DIR/lighttpd.conf"
    ready $((PORT + 1))
    background rclone serve http ":http,url='http://127.0.0.1:$((PORT + 1))/':" --addr "127.0.0.1:$PORT" --config "$DIR/rclone.conf" \
        --buffer-size 64k
    ready "$PORT"
}

load() {
    local number
    for number in 1 2 3 4 5 6; do
        every 1 curl -s -o /dev/null --limit-rate 30k "http://127.0.0.1:$PORT/big$number"
    done
}
