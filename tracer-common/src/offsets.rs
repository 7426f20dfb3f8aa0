/// One entry of [`Offsets`]: the name under which a field is looked up in the running kernel's BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// The kernel structure that the offset counts from.
    pub structure: &'static str,
    /// Path of the field: `.` descends into a nested structure, `[N]` selects an array element. An
    /// empty path asks for the size of the structure.
    pub field: &'static str,
    /// The field to use on kernels that do not have `field`.
    pub otherwise: Option<&'static str>,
}

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident: $structure:literal . $field:literal $(or $otherwise:literal)?,)*) => {
        /// Byte offsets of kernel structure fields, resolved from the running kernel's BTF at load
        /// time: the read-only global `OFFSETS`. None is known at compile time.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(
            feature = "user",
            derive(
                zerocopy::FromBytes,
                zerocopy::IntoBytes,
                zerocopy::Immutable,
                zerocopy::KnownLayout
            )
        )]
        #[repr(C)]
        pub struct Offsets {
            $($(#[$doc])* #[doc = concat!("`", $structure, ".", $field, "`, in bytes.")]
            pub $name: u32,)*
        }

        impl Offsets {
            /// Calls `lookup` for every field, in declaration order.
            ///
            /// # Errors
            /// The first error of `lookup`.
            pub fn resolve<E>(mut lookup: impl FnMut(Offset) -> Result<u32, E>) -> Result<Self, E> {
                Ok(Self {
                    $($name: lookup(Offset {
                        structure: $structure,
                        field: $field,
                        otherwise: None$(.or(Some($otherwise)))?,
                    })?,)*
                })
            }
        }
    };
}

offsets! {
    sock_family: "sock_common"."skc_family",
    sock_state: "sock_common"."skc_state",
    sock_remote_port: "sock_common"."skc_dport",
    sock_local_port: "sock_common"."skc_num",
    sock_remote_ipv4: "sock_common"."skc_daddr",
    sock_local_ipv4: "sock_common"."skc_rcv_saddr",
    sock_remote_ipv6: "sock_common"."skc_v6_daddr",
    sock_local_ipv6: "sock_common"."skc_v6_rcv_saddr",
    sock_net: "sock_common"."skc_net.net",
    sock_cookie: "sock_common"."skc_cookie",
    sock_flags: "sock_common"."skc_flags",
    sock_error: "sock"."sk_err",
    sock_type: "sock"."sk_type",
    sock_protocol: "sock"."sk_protocol",
    sock_socket: "sock"."sk_socket",
    net_inode: "net"."ns.inum",
    inet_local_port: "inet_sock"."inet_sport",
    connection_last_received: "inet_connection_sock"."icsk_ack.lrcvtime",
    connection_timer: "inet_connection_sock"."icsk_pending",
    connection_retransmits: "inet_connection_sock"."icsk_retransmits",
    connection_backoff: "inet_connection_sock"."icsk_backoff",
    connection_probes_out: "inet_connection_sock"."icsk_probes_out",
    tcp_last_sent: "tcp_sock"."lsndtime",
    tcp_last_segment: "tcp_sock"."tcp_mstamp",
    tcp_last_ack: "tcp_sock"."rcv_tstamp",
    tcp_rcv_nxt: "tcp_sock"."rcv_nxt",
    tcp_copied_seq: "tcp_sock"."copied_seq",
    tcp_last_read: "tcp_sock"."rcvq_space.time",
    tcp_last_read_seq: "tcp_sock"."rcvq_space.seq",
    tcp_snd_una: "tcp_sock"."snd_una",
    tcp_write_seq: "tcp_sock"."write_seq",
    tcp_peer_window: "tcp_sock"."snd_wnd",
    tcp_data_segments_sent: "tcp_sock"."data_segs_out",
    tcp_data_segments_received: "tcp_sock"."data_segs_in",
    tcp_bytes_received: "tcp_sock"."bytes_received",
    tcp_bytes_acked: "tcp_sock"."bytes_acked",
    tcp_bytes_sent: "tcp_sock"."bytes_sent",
    tcp_bytes_retransmitted: "tcp_sock"."bytes_retrans",
    socket_sock: "socket"."sk",
    socket_file: "socket"."file",
    file_operations: "file"."f_op",
    file_private: "file"."private_data",
    file_inode: "file"."f_inode",
    inode_number: "inode"."i_ino",
    inode_mode: "inode"."i_mode",
    task_group_leader: "task_struct"."group_leader",
    task_start_time: "task_struct"."start_boottime",
    task_comm: "task_struct"."comm",
    task_signal: "task_struct"."signal",
    task_files: "task_struct"."files",
    task_pid: "task_struct"."pid",
    task_stack: "task_struct"."stack",
    /// `state` before Linux 5.14.
    task_state: "task_struct"."__state" or "state",
    task_flags: "task_struct"."flags",
    task_job_control: "task_struct"."jobctl",
    task_exec_number: "task_struct"."self_exec_id",
    task_credentials: "task_struct"."real_cred",
    /// `CONFIG_CGROUPS`. Without it there is nothing that could change.
    task_cgroups: "task_struct"."cgroups" or "real_cred",
    /// `RLIMIT_NOFILE` is 7 on all supported architectures.
    signal_fd_limit: "signal_struct"."rlim[7].rlim_cur",
    /// `PIDTYPE_TGID` is 1 since Linux 4.19 (`enum pid_type`).
    signal_tgid: "signal_struct"."pids[1]",
    pid_level: "pid"."level",
    pid_numbers: "pid"."numbers",
    upid_number: "upid"."nr",
    upid_namespace: "upid"."ns",
    upid_size: "upid"."",
    pid_namespace_inode: "pid_namespace"."ns.inum",
    files_table: "files_struct"."fdt",
    table_size: "fdtable"."max_fds",
    table_files: "fdtable"."fd",
    table_open: "fdtable"."open_fds",
    syscall_return: "syscall_trace_exit"."ret",
}
