//! A pass over file tables reports the same as a pass over files.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{Read as _, Write as _},
    mem,
    net::Shutdown,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use socket2::{Domain, Socket, Type};
use tracer_common::RawProcess;

use super::*;
use crate::collect::socket_records::{Fingerprint, SocketRecords};

/// Number of file descriptors, if the limit of the process allows it.
const MANY: usize = 15_000;
/// File descriptors that are left to other tests of this process.
const OTHERS: usize = 500;

/// The programs, after a first pass; `None` if the kernel cannot read file tables.
fn kernel(only_tracked: bool, pids: &[u32]) -> Option<Kernel> {
    let options =
        KernelOptions { only_tracked, reads_file_tables: true, ..KernelOptions::default() };
    let mut kernel = Kernel::load(options).unwrap();
    kernel.set_pids(pids).unwrap();
    let extent = extent(only_tracked);
    assert!(!kernel.file_tables.can_walk(extent), "no socket was seen yet");
    let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
    kernel.walk(extent, Reading::InTurn, &mut |_: &SocketRecord| {}).unwrap();
    let can_walk = kernel.file_tables.can_walk(extent);
    assert_eq!(can_walk, has_bpf_loop() && kernel.has_socket_helpers);
    can_walk.then_some(kernel)
}

const fn extent(only_tracked: bool) -> Extent {
    if only_tracked { Extent::InScope } else { Extent::All }
}

/// Linux 5.17 and later.
fn has_bpf_loop() -> bool {
    let system = rustix::system::uname();
    let release = system.release().to_str().unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(5), Some(17))
}

/// The records of some processes, without their times.
type Records = BTreeMap<(u32, u32), SocketRecord>;

fn records(pids: &[u32], walk: impl FnOnce(&mut dyn FnMut(&SocketRecord))) -> Records {
    let mut records = Records::new();
    walk(&mut |record: &SocketRecord| {
        if pids.contains(&record.pid) {
            let timeless = SocketRecord { at_ns: 0, jiffies: 0, ..*record };
            let before = records.insert((record.pid, record.fd), timeless);
            assert_eq!(before, None, "reported twice");
        }
    });
    records
}

/// The records by both ways.
fn both(kernel: &mut Kernel, extent: Extent, pids: &[u32]) -> [Records; 2] {
    let files = records(pids, |each| {
        kernel.walk_files(extent, Reading::InTurn, each).unwrap();
    });
    let tables = records(pids, |each| {
        kernel.walk_file_tables(&mut |record: &SocketRecord| each(record)).unwrap();
    });
    [files, tables]
}

fn assert_same(files: &Records, tables: &Records) {
    for (key, record) in files {
        assert_eq!(tables.get(key), Some(record), "{key:?}");
    }
    assert_eq!(files.len(), tables.len());
}

#[tokio::test]
async fn file_tables_show_what_files_show() {
    // Other tests do not open and close sockets meanwhile.
    let _watch = Watch::start(&[], None);
    let limits = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }).unwrap();
    let most = limits.maximum.map_or(MANY, |most| usize::try_from(most).unwrap() - OTHERS);

    let open: Vec<_> = LOOPBACKS.into_iter().map(connection).collect();
    let _datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let _directory = File::open("/proc/self").unwrap();
    let unconnected = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    let mut duplicates: Vec<OwnedFd> = Vec::new();
    for (_, client, server) in open.iter().cycle().take(MANY.min(most) / 2) {
        duplicates.extend([client.try_clone().unwrap().into(), server.try_clone().unwrap().into()]);
    }
    // Half of the table has holes, and a quarter is empty.
    let half = duplicates.len() / 2;
    duplicates.drain(half / 2..half);
    let mut index = 0;
    duplicates.retain(|_| {
        index += 1;
        index < half / 2 || index % 3 == 0
    });
    // An inherited file descriptor, in another process.
    rustix::io::fcntl_setfd(&open[0].2, rustix::io::FdFlags::empty()).unwrap();
    let mut other = Command::new("sleep").arg("60").spawn().unwrap();
    rustix::io::fcntl_setfd(&open[0].2, rustix::io::FdFlags::CLOEXEC).unwrap();

    let pids = [process::id(), other.id()];
    if let Some(mut kernel) = kernel(false, &[]) {
        let [files, tables] = both(&mut kernel, Extent::All, &pids);
        assert_same(&files, &tables);
        assert!(files.len() > duplicates.len() + 10, "{} records", files.len());
        let unconnected = files[&(process::id(), unconnected.as_raw_fd().cast_unsigned())];
        assert_eq!((unconnected.state, unconnected.local_port), (CLOSE, 0));
        assert!(files.keys().any(|(pid, _)| *pid == other.id()));
    }
    if let Some(mut kernel) = kernel(true, &[other.id()]) {
        let [files, tables] = both(&mut kernel, Extent::InScope, &pids);
        assert_same(&files, &tables);
        let listeners = files.values().filter(|record| record.pid == process::id());
        assert!(listeners.clone().count() >= LOOPBACKS.len());
        assert!(listeners.clone().all(|record| record.state == 10), "TCP_LISTEN");
        let shared = files.values().find(|record| record.pid == other.id()).unwrap();
        assert!(kernel.track(shared.cookie).unwrap());
        let [files, tables] = both(&mut kernel, Extent::InScope, &pids);
        assert_same(&files, &tables);
        let held = files.iter().filter(|(_, record)| record.cookie == shared.cookie);
        assert!(held.count() > duplicates.len() / 10, "the other file descriptors of the socket");
    }
    other.kill().unwrap();
    other.wait().unwrap();
}

#[tokio::test]
async fn a_socket_without_a_cookie_gets_one() {
    let _watch = Watch::start(&[], None);
    let Some(mut kernel) = kernel(false, &[]) else { return };
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let fd = socket.as_raw_fd().cast_unsigned();
    let is_this = |record: &SocketRecord| (record.pid, record.fd) == (process::id(), fd);
    let mut cookies = Vec::new();
    let mut each = |record: &SocketRecord| {
        if is_this(record) {
            cookies.push(record.cookie);
        }
    };
    kernel.walk_file_tables(&mut each).unwrap();
    // It may be connected at once, and gets a cookie then.
    kernel.walk(Extent::All, Reading::InTurn, &mut each).unwrap();
    kernel.walk(Extent::All, Reading::InTurn, &mut each).unwrap();
    kernel.walk_file_tables(&mut each).unwrap();
    let [without, with, same] = cookies[..] else { panic!("{cookies:?}") };
    assert_eq!((without, with != 0, same), (0, true, with));
}

/// Takes the records of numbered passes, and keeps those that a pass names only by their numbers.
#[derive(Default)]
struct Numbered {
    known: Option<u64>,
    pass: Option<u64>,
    before: HashMap<u32, SocketRecord>,
    now: HashMap<u32, SocketRecord>,
    same: BTreeSet<(u32, u32)>,
}

impl Numbered {
    /// The records of the next pass for this process.
    fn pass(&mut self, kernel: &mut Kernel) -> Records {
        self.before = mem::take(&mut self.now);
        self.known = self.pass.take();
        self.same.clear();
        kernel.walk_file_tables(self).unwrap();
        let own = self.now.values().filter(|record| record.pid == process::id());
        own.map(|record| ((record.pid, record.fd), *record)).collect()
    }
}

impl SocketRecords for Numbered {
    fn known_pass(&self) -> Option<u64> {
        self.known
    }

    fn begin_pass(&mut self, pass: u64) {
        self.pass = Some(pass);
    }

    fn add_same(&mut self, previous: u32, number: u32) {
        let record = self.before[&previous];
        self.same.insert((record.pid, record.fd));
        self.now.insert(number, record);
    }

    fn add(&mut self, record: &SocketRecord, fingerprint: Fingerprint) {
        let timeless = SocketRecord { at_ns: 0, jiffies: 0, ..*record };
        self.now.insert(fingerprint.number.unwrap(), timeless);
    }
}

#[tokio::test]
async fn what_has_not_changed_is_named_by_its_number() {
    let _watch = Watch::start(&[], None);
    let mut open: Vec<_> = LOOPBACKS.into_iter().cycle().take(120).map(connection).collect();
    let Some(mut kernel) = kernel(false, &[]) else { return };
    let mut passes = Numbered::default();
    let files = |kernel: &mut Kernel| {
        records(&[process::id()], |each| {
            kernel.walk_files(Extent::All, Reading::InTurn, each).unwrap();
        })
    };
    let fd = |stream: &TcpStream| (process::id(), stream.as_raw_fd().cast_unsigned());
    let is_same = |passes: &Numbered, (_, client, server): &(_, TcpStream, TcpStream)| {
        [client, server].map(|stream| passes.same.contains(&fd(stream)))
    };
    let pass = |kernel: &mut Kernel, passes: &mut Numbered| {
        let before = files(kernel);
        let mut tables = passes.pass(kernel);
        let mut after = files(kernel);
        // On a busy host, acknowledgments may arrive late.
        after.retain(|key, record| before.get(key) == Some(record));
        tables.retain(|key, _| after.contains_key(key));
        assert_same(&after, &tables);
    };
    // After many file descriptors were closed, in any process, some others are read again.
    let pass_until_all_are_same = |kernel: &mut Kernel, passes: &mut Numbered, open: &[_]| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !open.iter().all(|it| is_same(passes, it) == [true, true]) {
            assert!(Instant::now() < deadline, "{} are the same", passes.same.len());
            pass(kernel, passes);
        }
    };
    pass(&mut kernel, &mut passes);
    assert!(passes.same.is_empty(), "there was no pass before");
    pass(&mut kernel, &mut passes);
    assert!(open.iter().all(|it| is_same(&passes, it) == [false, false]), "read once more");
    pass_until_all_are_same(&mut kernel, &mut passes, &open);

    open[1].1.write_all(b"one").unwrap();
    open[2].1.write_all(b"two").unwrap();
    pass(&mut kernel, &mut passes);
    assert_eq!([1, 2].map(|at| is_same(&passes, &open[at])), [[false, false]; 2]);
    pass_until_all_are_same(&mut kernel, &mut passes, &open);

    // A read, a FIN, a duplicate, and closed file descriptors in between.
    open[2].2.read_exact(&mut [0; 3]).unwrap();
    open[3].2.shutdown(Shutdown::Write).unwrap();
    let duplicate = open[4].1.try_clone().unwrap();
    drop(open.drain(20..60));
    pass(&mut kernel, &mut passes);
    assert!(!is_same(&passes, &open[2])[1]);
    assert_eq!(is_same(&passes, &open[3]), [false, false]);
    assert!(!passes.same.contains(&fd(&duplicate)), "it is new");
    pass_until_all_are_same(&mut kernel, &mut passes, &open);
    assert!(passes.same.contains(&fd(&duplicate)));

    // Another pass, of which this one knows nothing.
    kernel.walk_file_tables(&mut |_: &SocketRecord| {}).unwrap();
    pass(&mut kernel, &mut passes);
    assert!(passes.same.is_empty());
}

/// While file descriptors are closed and reused, each record is of one socket, and what stays open
/// is in each pass.
#[tokio::test]
async fn records_are_of_one_socket_while_file_descriptors_change() {
    const PASSES: usize = 50;
    let _watch = Watch::start(&[], None);
    let open: Vec<_> = LOOPBACKS.into_iter().map(connection).collect();
    let Some(mut kernel) = kernel(false, &[]) else { return };
    let own = [process::id()];
    let [stable, _] = both(&mut kernel, Extent::All, &own);
    let sockets: BTreeSet<(u64, u64)> =
        stable.values().map(|record| (record.cookie, record.inode)).collect();

    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for (listener, client, server) in &open {
                    let _both = (client.try_clone().unwrap(), server.try_clone().unwrap());
                    let _file = File::open("/dev/null").unwrap();
                    let _new = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                    let _last = listener.try_clone().unwrap();
                }
            }
        });
        for _ in 0..PASSES {
            let mut seen = BTreeSet::new();
            let mut each = |record: &SocketRecord| {
                if record.pid != process::id() {
                    return;
                }
                seen.insert((record.pid, record.fd));
                let is_known = sockets.contains(&(record.cookie, record.inode));
                let is_new = (record.state, record.cookie) == (CLOSE, 0);
                assert!(is_known || is_new, "{record:?}");
            };
            kernel.walk_file_tables(&mut each).unwrap();
            let missing: Vec<_> = stable.keys().filter(|key| !seen.contains(key)).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

/// What user space compares with `/proc`, and how a process is seen to change.
#[tokio::test]
async fn processes_are_as_proc_shows_them() {
    let _watch = Watch::start(&[], None);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty()).unwrap();
    let mut shell = Command::new("sh").stdin(Stdio::piped()).spawn().unwrap();
    rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::CLOEXEC).unwrap();
    let Some(mut kernel) = kernel(false, &[]) else {
        shell.kill().unwrap();
        shell.wait().unwrap();
        return;
    };
    let pid = shell.id();
    // Waits until the process is as expected.
    let mut expect = |is_it: &dyn Fn(&RawProcess) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            kernel.walk(Extent::All, Reading::InTurn, &mut |_: &SocketRecord| {}).unwrap();
            let entries = kernel.processes().iter().filter(|process| process.pid == pid);
            let entries: Vec<RawProcess> = entries.copied().collect();
            if let [process] = entries[..]
                && is_it(&process)
            {
                return process;
            }
            assert!(Instant::now() < deadline, "{entries:?}");
        }
    };
    let fds = || fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let is_running = |process: &RawProcess| process.state & 0xf == 1;
    let first = expect(&|process| process.open_fds as usize == fds() && is_running(process));
    let limit = getrlimit(Resource::Nofile).current;
    assert_eq!(first.fd_limit, limit.unwrap_or(u64::MAX));

    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(b"exec 7</dev/null; ulimit -Sn 100; kill -STOP $$\n").unwrap();
    let stopped = expect(&|process| process.state & 0x4 != 0);
    assert_eq!((stopped.open_fds, stopped.fd_limit), (first.open_fds + 1, 100));
    let marks = |process: &RawProcess| {
        (process.start_time_ns, process.exec_number, process.credentials, process.cgroups)
    };
    assert_eq!(marks(&stopped), marks(&first));
    kill_process(Pid::from_child(&shell), Signal::CONT).unwrap();
    stdin.write_all(b"exec sh\n").unwrap();
    let again = expect(&|process| process.exec_number != first.exec_number);
    assert_eq!(again.start_time_ns, first.start_time_ns);
    shell.kill().unwrap();
    shell.wait().unwrap();
}
