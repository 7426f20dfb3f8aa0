# vsftpd: control connections that are silent while a slow transfer runs on another one.
packages="vsftpd"

start() {
    mkdir -p "$DIR/files" "$DIR/empty"
    head -c 4000000 /dev/zero >"$DIR/files/big"
    chmod 755 "$DIR/files"
    config vsftpd.conf <<END
listen=YES
listen_address=127.0.0.1
listen_port=$PORT
background=NO
anonymous_enable=YES
anon_root=$DIR/files
secure_chroot_dir=$DIR/empty
ftp_username=www-data
run_as_launching_user=NO
pasv_min_port=$((PORT + 5))
pasv_max_port=$((PORT + 19))
idle_session_timeout=3600
data_connection_timeout=3600
seccomp_sandbox=NO
END
    background vsftpd "$DIR/vsftpd.conf"
    ready "$PORT"
}

load() {
    local number
    for ((number = 0; number < 8; number++)); do
        every 1 curl -s -o /dev/null --limit-rate 40k "ftp://127.0.0.1:$PORT/big"
    done
}
