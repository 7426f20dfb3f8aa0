# varnish before a backend with a short keep-alive, with slow and stalled clients; nothing is cached.
packages="varnish"

start() {
    config default.vcl <<END
vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "$((PORT + 1))"; .first_byte_timeout = 600s; }
sub vcl_recv { return (pass); }
END
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1)) --keep-alive 5
    ready $((PORT + 1))
    background varnishd -F -a "127.0.0.1:$PORT" -T none -f "$DIR/default.vcl" -n "$DIR/varnish" \
        -s malloc,32m -p thread_pool_min=20 -p timeout_idle=600 -p send_timeout=1200
    ready "$PORT"
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 5
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 8 --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 30 --path /small --every "$(scaled 3)"
}
