# squid as a forward proxy with slow and stalled clients, and clients that give up while it waits for
# the server.
packages="squid"
reduced=yes

start() {
    config squid.conf <<END
http_port 127.0.0.1:$PORT
http_access allow all
cache deny all
cache_mem 8 MB
pid_filename $DIR/squid.pid
cache_log $DIR/cache.log
access_log none
coredump_dir $DIR
cache_effective_user proxy
visible_hostname localhost
shutdown_lifetime 1 second
pinger_enable off
logfile_rotate 0
END
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1))
    background squid -N -f "$DIR/squid.conf"
    ready "$PORT" $((PORT + 1))
}

load() {
    local backend="http://127.0.0.1:$((PORT + 1))"
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 6 --path "$backend/big"
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 10 --path "$backend/big" --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" giveup "127.0.0.1:$PORT" --count 4 --path "$backend/slow?seconds=$(scaled 2)" --pause 3
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 20 --path "$backend/small" --every "$(scaled 2)"
}

disturb() {
    squid -f "$DIR/squid.conf" -k reconfigure
}
