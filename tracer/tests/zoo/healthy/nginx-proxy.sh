# nginx as a proxy with slow and stalled clients, event streams and long polls, reloaded under them.
packages="nginx-light"
reduced=yes
short=yes

start() {
    config nginx.conf <<END
daemon off;
error_log $DIR/error.log;
pid $DIR/nginx.pid;
worker_processes 1;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $DIR/body;
    proxy_temp_path $DIR/proxy;
    fastcgi_temp_path $DIR/fastcgi;
    uwsgi_temp_path $DIR/uwsgi;
    scgi_temp_path $DIR/scgi;
    upstream backend {
        server 127.0.0.1:$((PORT + 1));
        keepalive 20;
    }
    server {
        listen 127.0.0.1:$PORT;
        keepalive_timeout 10m;
        location / {
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_read_timeout 10m;
            proxy_max_temp_file_size 0;
        }
        location /events {
            proxy_pass http://backend;
            proxy_buffering off;
            proxy_read_timeout 1h;
        }
    }
}
END
    background "$PYTHON" "$PROGRAMS/backend.py" http $((PORT + 1))
    background nginx -c "$DIR/nginx.conf"
    ready "$PORT" $((PORT + 1))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 5
    background "$PYTHON" "$PROGRAMS/client.py" stall "127.0.0.1:$PORT" --count 8 --pause "$(scaled 4)"
    background "$PYTHON" "$PROGRAMS/client.py" stream "127.0.0.1:$PORT" --count 10 --path "/events?seconds=$(scaled 3)"
    background "$PYTHON" "$PROGRAMS/client.py" poll "127.0.0.1:$PORT" --count 10 --path "/poll?seconds=$(scaled 2)"
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 30 --path /small --every "$(scaled 3)"
}

disturb() {
    kill -HUP "$(cat "$DIR/nginx.pid")"
}
