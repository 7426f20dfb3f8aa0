# Apache Traffic Server as a reverse proxy without a cache, with slow and stalled clients and clients
# that give up.
packages="trafficserver"

start() {
    mkdir -p "$DIR/etc" "$DIR/run" "$DIR/log" "$DIR/cache"
    cp -r /etc/trafficserver/. "$DIR/etc/"
    echo "map http://127.0.0.1:$PORT/ http://127.0.0.1:$((PORT + 1))/" >"$DIR/etc/remap.config"
    : >"$DIR/etc/storage.config"
    export PROXY_CONFIG_CONFIG_DIR="$DIR/etc"
    export PROXY_CONFIG_LOCAL_STATE_DIR="$DIR/run"
    export PROXY_CONFIG_LOG_LOGFILE_DIR="$DIR/log"
    export PROXY_CONFIG_HTTP_SERVER_PORTS="$PORT:ip-in=127.0.0.1"
    export PROXY_CONFIG_HTTP_CACHE_HTTP=0
    export PROXY_CONFIG_ADMIN_USER_ID="#-1"
    export PROXY_CONFIG_EXEC_THREAD_AUTOCONFIG_ENABLED=0
    export PROXY_CONFIG_EXEC_THREAD_LIMIT=2
    export PROXY_CONFIG_HTTP_TRANSACTION_NO_ACTIVITY_TIMEOUT_OUT=3600
    export PROXY_CONFIG_HTTP_TRANSACTION_NO_ACTIVITY_TIMEOUT_IN=3600
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1))
    background traffic_server
    ready "$PORT" $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 4
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 10 --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" giveup "127.0.0.1:$PORT" --count 4 --path "/slow?seconds=$(scaled 2)" --pause 3
}
