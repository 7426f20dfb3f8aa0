//! Options that select processes and connections.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::run::{Leak, fds, run, run_offline};
use crate::collect::backend::scripted::Process;

/// Asserts that the leak is found with one filter and not with another.
#[track_caller]
fn check(leak: Leak, with: &str, without: &str) {
    let process = Process::this();

    let arguments = format!("audit --idle 1s -o json {with}");
    let found = run(&arguments, leak.before_the_run(&process, 5));
    let finding = found.finding(&process);
    assert_eq!((finding.count(), finding.fds()), (5, fds(5)), "{with}: {found:?}");

    let arguments = format!("audit --idle 1s -o json {without}");
    let outcome = run(&arguments, leak.before_the_run(&process, 5));
    assert!(outcome.report().findings_of(process.pid).is_empty(), "{without}: {outcome:?}");
}

#[test]
fn by_remote_port() {
    check(Leak::Undrained, "-D 443", "-D 1");
}

#[test]
fn by_local_port() {
    check(Leak::NeverRead, "-L 1,8080", "-L 1");
}

#[test]
fn by_remote_network() {
    check(Leak::Undrained, "--remote 10.0.0.0/8", "--remote 192.168.0.0/16,::1");
}

#[test]
fn several_filters_must_all_match() {
    let pid = Process::this().pid;
    let both = format!("--pid {pid} -D 443 --remote 10.0.0.1");
    check(Leak::Undrained, &both, &format!("--pid {pid} -D 80 --remote 10.0.0.1"));
}

/// A child process that does nothing. It is killed when this is dropped.
struct Sleep(Child);

impl Sleep {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap())
    }

    /// The process, once it has executed `sleep`.
    fn process(&self) -> Process {
        loop {
            let process = Process::of(self.0.id());
            if process.comm == "sleep" {
                return process;
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn by_process_its_descendants_and_its_name() {
    let child = Sleep::start();
    let (this, child) = (Process::this(), child.process());
    for (arguments, expected) in [
        (format!("--pid {}", this.pid), [6, 0]),
        (format!("--pid {}", child.pid), [0, 7]),
        (format!("--pid {},{}", this.pid, child.pid), [6, 7]),
        (format!("--pid {} --children", this.pid), [6, 7]),
        ("--comm sleep".to_owned(), [0, 7]),
        (format!("--comm sleep,{}", this.comm), [6, 7]),
        (String::new(), [6, 7]),
    ] {
        let mut host = Leak::Undrained.before_the_run(&this, 6);
        Leak::Undrained.add(&mut host, &child, 7);

        let outcome = run(&format!("audit --idle 1s -o json {arguments}"), host);

        let report = outcome.report();
        let leaked = [this.pid, child.pid].map(|pid| report.leaked_by(pid));
        assert_eq!(leaked, expected, "{arguments}: {report}");
    }
}

#[test]
fn by_cgroup() {
    let this = Process::this();
    // The root of the hierarchy has every process.
    let outcome =
        run("audit --idle 1s -o json --cgroup /", Leak::Undrained.before_the_run(&this, 6));

    assert_eq!(outcome.report().leaked_by(this.pid), 6, "{outcome:?}");
}

#[test]
fn the_descendants_of_a_named_process_without_sockets_are_mentioned() {
    let child = Sleep::start();
    let process = Process::this();
    let audit = format!("audit --pid {} --idle 1s", process.pid);
    let of_child = || Leak::Undrained.before_the_run(&child.process(), 6);

    let outcome = run(&format!("{audit} -o json"), of_child());
    assert_eq!(outcome.report().process(process.pid)["tcp_fds"], 0, "{outcome:?}");
    assert_eq!(outcome.code, 0, "it is what was asked for: {outcome:?}");
    let table = run(&audit, of_child());
    let named = format!("{}[{}] has had no TCP sockets", process.comm, process.pid);
    for words in [&named, "--children", "(0 TCP)"] {
        assert!(table.stdout.contains(words), "{words}: {table:?}");
    }
    let opener = process.clone();
    let later = of_child().at(Duration::from_secs(1), move |sockets| {
        Leak::Undrained.one(sockets, &opener);
    });
    let later = run(&format!("{audit} --for 5s"), later);
    assert!(!later.stdout.contains("--children"), "it has had sockets: {later:?}");
    let found = run(&audit, Leak::Undrained.before_the_run(&process, 6));
    assert!(!found.stdout.contains("--children"), "it has sockets: {found:?}");
}

#[test]
fn json_and_recordings_have_the_selection_and_the_observed_processes() {
    let (this, child) = (Process::this(), Sleep::start());
    let child = child.process();
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("run.rec").display().to_string();
    let mut host = Leak::Undrained.before_the_run(&this, 6);
    Leak::Undrained.add(&mut host, &child, 2);
    let selection = format!("--pid {} -D 443 --remote 10.0.0.0/8", this.pid);

    let audit = format!("audit --idle 1s --cmdline -o json {selection} --record {recording}");
    let ran = run(&audit, host).report();
    let replayed = run_offline(&format!("replay {recording} -o json")).report();

    for report in [ran, replayed] {
        let expected = serde_json::json!({
            "pids": [this.pid], "children": false, "comms": [], "cgroup": null, "container": null,
            "local_ports": [], "remote_ports": [443], "remotes": ["10.0.0.0/8"],
        });
        assert_eq!(report.member("selection"), &expected);
        let coverage = report.member("coverage");
        let [observed] = &coverage["observed"].as_array().unwrap()[..] else { panic!("{report}") };
        assert_eq!(observed["pid"], this.pid);
        assert_eq!(observed["comm"], this.comm);
        assert_eq!(observed["start_time"], report.process(this.pid)["start_time"]);
        assert_eq!(coverage["observed_omitted"], 0);
    }
    let mut host = Leak::Undrained.before_the_run(&this, 6);
    Leak::Undrained.add(&mut host, &child, 2);
    let all = run("audit --idle 1s -o json", host).report();
    let pids = all.member("coverage")["observed"].as_array().unwrap().iter().map(|it| &it["pid"]);
    assert_eq!(pids.collect::<Vec<_>>(), [child.pid, this.pid], "the one that started last first");
    assert_eq!(all.member("selection")["pids"], serde_json::json!([]));
}
