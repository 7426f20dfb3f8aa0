//! A timeline has one step per line: a time, a verb, the names of sockets, and details.
//!
//! | step | meaning |
//! | --- | --- |
//! | `0s open a1..a23 every=300ms pid=10 to=10.0.0.1:443` | a process connects; also `accept`; `fd=9` chooses the file descriptor, `stack=7` the stack |
//! | `9s peer-closes a1..a23` | also `peer-resets`, `receive bytes=N`, `read`, `send bytes=N`, `keepalive`, `close`, `reconnect` |
//! | `20s probe-unanswered a1 count=2` | two keepalive probes were not answered |
//! | `20s retransmit a1 count=5` | data in flight timed out five times in a row |
//! | `20s stall a1 bytes=N` | N bytes do not fit into the peer's window, and the answer to a probe says that it is closed; `stall-in-flight` while data is in flight |
//! | `9s lose-events` | events are lost until `deliver-events` |
//! | `0s sock-diag` | no probes from now on, and snapshots without kernel memory |
//! | `9s share a1 pid=11 forked=9s fd=20` | another process, started at `forked`, also holds it; `unshare a1 pid=10` |
//! | `9s forked-only pid=11` | the process has not called `exec` |
//! | `9s reader a1..a9 is=none http=body request=GET,http://a/b transport=1 referenced=yes registered=yes` | the result of inspections from now on; `is=` none, goroutine, thread, epoll or unknown; `http=` body or idle; without `is=`, there is no result |
//! | `9s start-response a1..a9 stack=7` | Go's HTTP client makes a request on each, and its response is open; `pid=11` is another holder's client |
//! | `9s start-response a1 streams=4 first=5 held=9000` | the same on four streams of HTTP/2, from the fifth on, each with so many bytes in memory |
//! | `9s return-response a1..a9` | the response was read to EOF or closed; also `streams=2 first=3` |
//! | `9s lose-ledger pid=10` | the ledger cannot be read until `find-ledger` |
//! | `9s exec pid=10` | another program: the ledger is empty |
//! | `9s call-site stack=7 is=main.get,api.go:23` | the call site of a stack from now on; without `is=`, it is unknown |
//! | `9s stop pid=10` | the process is stopped, until `resume pid=10` |
//! | `9s shutdown a1..a9` | the process sends its FIN and keeps the socket |
//! | `0s limit pid=10 fds=256 files=20` | the fd limit of the process, and how many files it has open, from now on |
//! | `9s leave-uninspected pid=10` | questions about readers are not answered, until `inspect pid=10` |
//! | `9s leave-unidentified pid=10` | questions about the identity of the process are not answered |
//! | `70s snapshot` | a snapshot, the questions, a judgment |
//! | `70s report`, `70s changes` | the report of the detector, or the changes since the last one |

use std::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

use super::{
    render,
    world::{World, owner},
};
use crate::{
    ConnectionId, Detector, Direction, HostFacts, HttpConnection, HttpStage, Input, Options,
    ProcessFacts, Question, Reachability, Reader, ReaderFacts, Readers, StackId, Timestamp,
};

/// The text of the timeline's reports.
pub(super) fn run(timeline: &str, options: Options) -> String {
    let mut player = Player::new(options);
    player.play_all(timeline);
    player.report
}

struct Line<'a> {
    at_ms: u64,
    verb: &'a str,
    names: Vec<String>,
    details: Vec<(&'a str, &'a str)>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Self {
        let mut words = line.split_whitespace();
        let at_ms = milliseconds(words.next().unwrap());
        let verb = words.next().unwrap();
        let (details, names): (Vec<&str>, Vec<&str>) = words.partition(|word| word.contains('='));
        Self {
            at_ms,
            verb,
            names: names.into_iter().flat_map(expand).collect(),
            details: details.into_iter().filter_map(|word| word.split_once('=')).collect(),
        }
    }

    /// One step for each socket, or a single step if there are no sockets.
    fn steps(&self) -> Vec<(u64, &Self, Option<&String>)> {
        let every_ms = self.detail("every").map_or(0, milliseconds);
        if self.names.is_empty() {
            return [(self.at_ms, self, None)].into();
        }
        let times = (0..).map(|index| self.at_ms + index * every_ms);
        times.zip(&self.names).map(|(at_ms, name)| (at_ms, self, Some(name))).collect()
    }

    fn detail(&self, key: &str) -> Option<&'a str> {
        self.details.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn reader(&self, id: ConnectionId) -> Option<ReaderFacts> {
        let reader = match self.detail("is")? {
            "none" => Reader::None,
            "goroutine" => Reader::Goroutine,
            "thread" => Reader::Thread,
            "epoll" => Reader::Epoll,
            "unknown" => Reader::Unknown,
            other => panic!("no such reader: {other}"),
        };
        let stage = self.detail("http").map(|stage| match stage {
            "body" => HttpStage::AwaitingBody,
            "idle" => HttpStage::Idle,
            other => panic!("no such stage: {other}"),
        });
        // `transport=each` gives every connection a transport of its own.
        let transport = match self.detail("transport") {
            Some("each") => id.0,
            Some(number) => number.parse().unwrap(),
            None => 1,
        };
        let request = self.detail("request").map(|request| request.replace(',', " "));
        let reachability = match self.detail("referenced") {
            None => Reachability::Dropped,
            Some("yes") => Reachability::Held(None),
            Some("unknown") => Reachability::Unknown,
            other => panic!("no such holder: {other:?}"),
        };
        let http = stage.map(|stage| HttpConnection { stage, transport, request, reachability });
        Some(ReaderFacts { id, reader, is_registered: self.detail("registered").is_some(), http })
    }

    fn number(&self, key: &str) -> u32 {
        self.maybe(key).unwrap_or_else(|| panic!("{key}= is missing"))
    }

    /// A count, which is one byte in the kernel.
    fn count(&self) -> u8 {
        self.number("count").try_into().unwrap()
    }

    fn maybe(&self, key: &str) -> Option<u32> {
        self.detail(key).map(|number| number.parse().unwrap())
    }

    /// The identifiers of the streams, or `None` for HTTP/1.
    fn streams(&self) -> Vec<Option<u32>> {
        let first = self.maybe("first").unwrap_or(1);
        match self.maybe("streams") {
            None => [None].into(),
            Some(count) => (first..first + count).map(|number| Some(2 * number - 1)).collect(),
        }
    }
}

/// `a1..a3` is a1, a2, a3.
fn expand(word: &str) -> Vec<String> {
    let Some((first, last)) = word.split_once("..") else { return [word.into()].into() };
    let prefix = first.trim_end_matches(|character: char| character.is_ascii_digit());
    let number = |name: &str| name[prefix.len()..].parse::<u32>().unwrap();
    (number(first)..=number(last)).map(|number| format!("{prefix}{number}")).collect()
}

fn milliseconds(time: &str) -> u64 {
    let digits = time.trim_end_matches(char::is_alphabetic);
    let value: u64 = digits.parse().unwrap();
    match &time[digits.len()..] {
        "ms" => value,
        "s" => value * 1_000,
        "m" => value * 60_000,
        "h" => value * 3_600_000,
        unit => panic!("no unit of time: {unit:?}"),
    }
}

pub(super) struct Player {
    pub(super) world: World,
    pub(super) detector: Detector,
    stopped: BTreeSet<u32>,
    forked: BTreeSet<u32>,
    unidentified: BTreeSet<u32>,
    uninspected: BTreeSet<u32>,
    /// For each process, its fd limit and how many files it has open.
    limits: BTreeMap<u32, (u32, u32)>,
    idle_ms: u64,
    report: String,
}

/// The clock's reading at 0s: late enough that earlier times are still positive.
const START_MS: u64 = 100 * 86_400_000;

impl Player {
    pub(super) fn new(options: Options) -> Self {
        let idle_ms = options.idle_ms;
        let mut detector = Detector::new(options);
        let started_at = Timestamp::from_ms(START_MS);
        detector.handle(Input::Host(HostFacts { started_at, ..HostFacts::default() }));
        let [stopped, forked, unidentified, uninspected] = [(); 4].map(|()| BTreeSet::new());
        let (world, report) = (World::default(), String::new());
        let limits = BTreeMap::new();
        Self {
            world,
            detector,
            stopped,
            forked,
            unidentified,
            uninspected,
            limits,
            idle_ms,
            report,
        }
    }

    /// Continues with another timeline.
    pub(super) fn play_all(&mut self, timeline: &str) {
        let lines = timeline.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<Line<'_>> = lines.map(Line::parse).collect();
        let mut steps: Vec<(u64, &Line<'_>, Option<&String>)> =
            lines.iter().flat_map(Line::steps).collect();
        steps.sort_by_key(|(at_ms, ..)| *at_ms);
        for (at_ms, line, name) in steps {
            self.play(at_ms, line, name);
        }
    }

    fn play(&mut self, at_ms: u64, line: &Line<'_>, name: Option<&String>) {
        self.world.now = Timestamp::from_ms(START_MS + at_ms);
        match (line.verb, name) {
            ("lose-events", _) => self.world.losing = true,
            ("sock-diag", _) => self.world.degraded = true,
            ("deliver-events", _) => self.world.losing = false,
            ("stop", _) => drop(self.stopped.insert(line.number("pid"))),
            ("resume", _) => drop(self.stopped.remove(&line.number("pid"))),
            ("limit", _) => {
                let files = line.maybe("files").unwrap_or_default();
                self.limits.insert(line.number("pid"), (line.number("fds"), files));
            }
            ("leave-uninspected", _) => drop(self.uninspected.insert(line.number("pid"))),
            ("inspect", _) => drop(self.uninspected.remove(&line.number("pid"))),
            ("leave-unidentified", _) => drop(self.unidentified.insert(line.number("pid"))),
            ("forked-only", _) => drop(self.forked.insert(line.number("pid"))),
            ("lose-ledger", _) => drop(self.world.ledgers.unread.insert(line.number("pid"))),
            ("find-ledger", _) => drop(self.world.ledgers.unread.remove(&line.number("pid"))),
            ("exec", _) => self.world.ledgers.forget(line.number("pid")),
            ("call-site", _) => {
                let call_site = line.detail("is").map(|text| text.replace(',', " "));
                self.world.ledgers.call_sites.insert(StackId(line.number("stack")), call_site);
            }
            ("snapshot", _) => self.snapshot(),
            ("report", _) => {
                self.report.push_str(&render::report(&self.detector.report(), START_MS));
            }
            ("changes", _) => {
                self.report.push_str(&render::changes(&self.detector.take_changes(), START_MS));
            }
            (_, Some(name)) => self.act(line, name),
            (verb, None) => panic!("{verb}: no such verb, or no sockets"),
        }
        for input in self.world.outbox.drain(..) {
            self.detector.handle(input);
        }
    }

    fn act(&mut self, line: &Line<'_>, name: &str) {
        let world = &mut self.world;
        let remote = line.detail("to").unwrap_or("10.0.0.1:443").parse().unwrap();
        let bytes = || u64::from(line.number("bytes"));
        match line.verb {
            "open" | "accept" => {
                let is_open = line.verb == "open";
                let direction = if is_open { Direction::Outbound } else { Direction::Inbound };
                world.stack = line.maybe("stack").map(StackId);
                world.open(name, line.number("pid"), direction, remote);
                if let Some(fd) = line.maybe("fd") {
                    world.sockets.get_mut(name).unwrap().owners[0].fd = fd;
                }
            }
            "start-response" => {
                let (stack, held) = (line.maybe("stack").map(StackId), line.maybe("held"));
                let (held, pid) = (held.unwrap_or_default().into(), line.maybe("pid"));
                for stream in line.streams() {
                    world.start_response(name, pid, stack, stream, held);
                }
            }
            "return-response" => {
                for stream in line.streams() {
                    world.return_response(name, stream);
                }
            }
            "receive" => world.receive(name, bytes()),
            "read" => world.read(name),
            "send" => world.send(name, bytes()),
            "keepalive" => world.keepalive(name),
            "probe-unanswered" => world.probe_unanswered(name, line.count()),
            "retransmit" => world.retransmit(name, line.count()),
            "stall" => world.stall(name, bytes()),
            "stall-in-flight" => world.stall_in_flight(name, bytes()),
            "peer-closes" => world.peer_closes(name),
            "shutdown" => world.shutdown(name),
            "peer-resets" => world.peer_resets(name),
            "close" => world.close(name),
            "reconnect" => world.reconnect(name),
            "share" => {
                let owners = &mut world.sockets.get_mut(name).unwrap().owners;
                let fd = line.detail("fd").map_or_else(|| owners[0].fd, |fd| fd.parse().unwrap());
                let mut owner = owner(line.number("pid"), fd);
                if let Some(time) = line.detail("forked") {
                    owner.key.start_time_ns =
                        START_MS.saturating_add(milliseconds(time)) * 1_000_000;
                }
                owners.push(owner);
            }
            "reader" => world.reader(name, line.reader(world.sockets[name].id)),
            "unshare" => {
                let pid = line.number("pid");
                let owners = &mut world.sockets.get_mut(name).unwrap().owners;
                owners.retain(|owner| owner.key.pid != pid);
            }
            verb => panic!("no such verb: {verb}"),
        }
    }

    /// The open file descriptors of a process, and their limit.
    fn fds(&self, pid: u32) -> (u64, u64) {
        let Some((limit, files)) = self.limits.get(&pid) else { return (100, 1_024) };
        let owners = self.world.sockets.values().flat_map(|socket| &socket.owners);
        let sockets = owners.filter(|owner| owner.key.pid == pid).count();
        (u64::from(*files) + u64::try_from(sockets).unwrap(), (*limit).into())
    }

    fn snapshot(&mut self) {
        for input in self.world.outbox.drain(..) {
            self.detector.handle(input);
        }
        let now = self.world.now;
        let snapshot = self.world.snapshot();
        self.detector.handle(snapshot);
        for ledger in self.world.ledgers(self.idle_ms) {
            self.detector.handle(ledger);
        }
        for question in self.detector.questions(now) {
            let key = match question {
                Question::Process(key) if self.unidentified.contains(&key.pid) => continue,
                Question::Process(key) => key,
                Question::Readers(key, _) if self.uninspected.contains(&key.pid) => continue,
                Question::Readers(process, asked) => {
                    let found = asked.iter().filter_map(|asked| self.world.readers.get(&asked.id));
                    let found = found.cloned().collect();
                    let limits = Vec::new();
                    self.detector.handle(Input::Readers(Readers {
                        process,
                        at: now,
                        found,
                        goroutines: None,
                        limits,
                    }));
                    continue;
                }
                Question::CallSite(process, stack) => {
                    if let Some(answer) = self.world.ledgers.call_site(process, stack) {
                        self.detector.handle(answer);
                    }
                    continue;
                }
            };
            let (open_fds, fd_limit) = self.fds(key.pid);
            self.detector.handle(Input::Process(ProcessFacts {
                key,
                exe: None,
                cmdline: None,
                script: None,
                uid: Some(0),
                container: None,
                inner_pid: None,
                open_fds: Some(open_fds),
                fd_limit: Some(fd_limit),
                stopped: self.stopped.contains(&key.pid),
                has_executed: Some(!self.forked.contains(&key.pid)),
            }));
        }
        self.detector.handle(Input::Unanswered(0));
        self.detector.handle(Input::Tick(now));
    }
}
