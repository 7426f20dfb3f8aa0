# apache's mod_proxy with a pool before a backend that closes idle connections after 5 s. The pool
# notices that when it takes a connection from the pool.
packages="apache2"
reduced=yes

start() {
    config apache.conf <<END
ServerRoot /usr/lib/apache2
ServerName localhost
Listen 127.0.0.1:$PORT
PidFile $DIR/apache.pid
DefaultRuntimeDir $DIR
Mutex file:$DIR default
ErrorLog $DIR/error.log
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_http_module modules/mod_proxy_http.so
User www-data
Group www-data
StartServers 1
ServerLimit 2
ThreadsPerChild 50
MaxRequestWorkers 100
KeepAliveTimeout 600
Timeout 600
ProxyPass / http://127.0.0.1:$((PORT + 1))/ min=0 max=50 smax=50 ttl=600
END
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1)) --keep-alive 5
    background apache2 -D FOREGROUND -f "$DIR/apache.conf"
    ready "$PORT" $((PORT + 1))
}

# 25 requests at a time, then a pause in which the backend closes its connections.
load() {
    every "$(scaled 5)" burst
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 3
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 4 --pause "$(scaled 4)"
}

burst() {
    local clients=() number
    for ((number = 0; number < 25; number++)); do
        curl -s -o /dev/null "http://127.0.0.1:$PORT/slow?seconds=2" &
        clients+=($!)
    done
    wait "${clients[@]}"
}

disturb() {
    apache2 -f "$DIR/apache.conf" -k graceful
}
