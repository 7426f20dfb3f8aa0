# beanstalkd: 20 workers wait for jobs (`reserve`), in one process, and producers come and go.
packages="beanstalkd"

start() {
    background beanstalkd -l 127.0.0.1 -p "$PORT"
    ready "$PORT"
}

load() {
    config workers.py <<'END'
import socket, sys, threading

def work():
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        lines = connection.makefile("rwb")
        while True:
            lines.write(b"reserve\r\n")
            lines.flush()
            _, job, size = lines.readline().split()
            lines.read(int(size) + 2)
            lines.write(b"delete " + job + b"\r\n")
            lines.flush()
            lines.readline()

threads = [threading.Thread(target=work) for _ in range(20)]
[thread.start() for thread in threads]
END
    background "$PYTHON" "$DIR/workers.py" "$PORT"
    every 3 produce
}

produce() {
    printf 'put 0 0 60 5\r\nhello\r\nquit\r\n' | timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT; cat >&3; cat <&3" >/dev/null
}
