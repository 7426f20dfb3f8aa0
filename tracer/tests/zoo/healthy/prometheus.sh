# Prometheus scrapes two exporters over connections that it keeps; one exporter is restarted.
packages="prometheus prometheus-node-exporter"

exporter=
start() {
    config prometheus.yml <<END
global:
  scrape_interval: 20s
scrape_configs:
  - job_name: nodes
    static_configs:
      - targets: ["127.0.0.1:$((PORT + 1))", "127.0.0.1:$((PORT + 2))", "127.0.0.1:$PORT"]
END
    background prometheus --config.file="$DIR/prometheus.yml" --storage.tsdb.path="$DIR/data" \
        --web.listen-address="127.0.0.1:$PORT"
    background prometheus-node-exporter --web.listen-address="127.0.0.1:$((PORT + 1))" --collector.disable-defaults --collector.loadavg
    start_exporter
    ready "$PORT" $((PORT + 1))
}

start_exporter() {
    background prometheus-node-exporter --web.listen-address="127.0.0.1:$((PORT + 2))" --collector.disable-defaults --collector.loadavg
    exporter=$!
    ready $((PORT + 2))
}

load() {
    background "$PYTHON" "$PROGRAMS/client.py" slow "127.0.0.1:$PORT" --count 3 --path /metrics --rate 2000
    background "$PYTHON" "$PROGRAMS/client.py" pool "127.0.0.1:$PORT" --count 10 --path "/api/v1/query?query=up" --every "$(scaled 2)"
}

disturb() {
    kill "$exporter"
    wait "$exporter" || true
    start_exporter
}
