//! Files of `/proc/PID`.

use procfs::FromRead as _;
use tracer_inspect::process::{
    container::container,
    epoll::Registration,
    facts::fd_limit,
    maps::Mappings,
    script,
    stat::parse_stat,
    threads::{Call, wait_lists},
};

/// `/proc/PID/fdinfo/FD` of an epoll instance.
pub fn epoll_fdinfo(bytes: &[u8]) {
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Some(registration) = Registration::parse(3, line) {
            let _ = registration.watches_input() || registration.watches_nothing();
        }
    }
}

/// `/proc/PID/task/TID/syscall`, followed by the memory of a list of file descriptors.
pub fn thread_call(bytes: &[u8]) {
    let line = bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Some(call) = Call::parse(&String::from_utf8_lossy(line)) {
        call.fd_arguments();
    }
    let memory = bytes.get(line.len()..).unwrap_or_default();
    wait_lists::polled(memory);
    wait_lists::selected(memory, u32::try_from(memory.len()).unwrap_or(u32::MAX));
}

/// `/proc/PID/maps`.
pub fn mappings(bytes: &[u8]) {
    let Ok(mappings) = Mappings::read(bytes, &super::budget()) else { return };
    for mapping in mappings.iter() {
        for address in [0, mapping.start, mapping.end - 1, u64::MAX] {
            mapping.offset_in_file(address);
            mappings.code_at(address);
            mappings.is_heap(address);
            mappings.is_constant(address);
        }
    }
}

/// The other files.
pub fn files(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(stat) = parse_stat(&text) {
        let _ = stat.state();
    }
    for group in procfs::ProcessCGroups::from_read(bytes).into_iter().flatten() {
        container(&group.pathname);
    }
    fd_limit(&text);
    for exe in ["python3", "node", "ruby", "perl", "php", "java", "sh"] {
        script::parse(exe, bytes);
    }
}
