//! Faults around the tracer: it continues, and reports what it missed. CONTRIBUTING.md lists all
//! faults with their tests.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Cgroup, Kind, Leak, NOBODY, Program, Puppet, Tracer, command, compile_c, found,
    program_for_all, run_in,
};

/// Longest wait for the kernel to unload programs.
const DEADLINE: Duration = Duration::from_mins(1);

fn source(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults").join(name)
}

#[test]
fn a_leak_survives_a_thousand_forks() {
    let mut leak = Leak::of(Kind::Undrained, 5);
    let arguments = format!("--pid {} --children --idle 2s -o json", leak.pid());
    let mut tracer = Tracer::start(&arguments);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);

    // Each child holds all leaked connections until it exits; some run at the same time.
    let mut children = Vec::new();
    for number in 0..1_000 {
        children.push(leak.leaker.ask("fork")[0]);
        if number % 20 == 19 {
            for child in children.drain(..) {
                leak.leaker.ask(&format!("kill-child {child}"));
            }
        }
    }
    leak.grow(2);

    let report = tracer.wait_until(|report| {
        let owned = |owners: BTreeSet<_>| owners.len() == 1;
        report.leaked_by(leak.pid()) == 7
            && report.leak_of(leak.pid()).connections().iter().all(|it| owned(it.owners()))
    });
    leak.assert_reported_by(&report);
    assert_eq!(report.member("coverage")["complete"], true, "{report}");
}

#[test]
fn a_killed_tracer_leaves_nothing_in_the_kernel() {
    let leak = Leak::of(Kind::Undrained, 5);
    let mut tracer = Tracer::start(&format!("--pid {} --idle 2s -o json", leak.pid()));
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);
    let programs = programs_of(tracer.id());
    assert!(!programs.is_empty());
    let loaded = || -> BTreeSet<u32> {
        let all = aya::programs::loaded_programs();
        all.map(|program| program.expect("root may ask").id()).collect()
    };
    assert!(programs.is_subset(&loaded()), "{programs:?}");

    tracer.kill_at_once();

    let deadline = Instant::now() + DEADLINE;
    while !programs.is_disjoint(&loaded()) {
        assert!(Instant::now() < deadline, "{programs:?} are still there");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The ids of the BPF programs that a process holds.
fn programs_of(pid: u32) -> BTreeSet<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("it runs");
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    texts
        .filter_map(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("prog_id:"))?;
            line.trim().parse().ok()
        })
        .collect()
}

/// The wall clock is set one hour ahead and then two hours back during the run. Only the tracer
/// sees this: a preloaded test library replaces its clock functions.
#[test]
fn setting_the_wall_clock_changes_no_age_and_no_time() {
    const SECOND: u64 = 1_000;
    let directory = tempfile::tempdir().unwrap();
    let library = compile_c(&source("clock.c"), directory.path(), "-shared -fPIC");
    let offset = directory.path().join("offset");
    fs::write(&offset, "0").unwrap();
    // `tracer` continues as another user, which must be able to read the directory.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let leak = Leak::of(Kind::Undrained, 5);
    let mut tracer = command(&format!("--pid {} --idle 2s -o json", leak.pid()));
    tracer.env("LD_PRELOAD", &library).env("CLOCK_OFFSET_FILE", &offset);
    let mut tracer = Tracer::spawn(tracer);
    let first = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);
    let facts = |report: &crate::support::Report| {
        let finding = report.leak_of(leak.pid());
        (finding.text("start_time").to_owned(), report.member("started_at").clone())
    };

    for step in ["3600", "-3600", "0"] {
        fs::write(&offset, step).unwrap();
        // The library reads the file at each call.
        let before = tracer.wait_for_next_report();
        let after = tracer.wait_for_next_report();

        for report in [&before, &after] {
            assert_eq!(facts(report), facts(&first), "{step}: {report}");
            let observed = report.member("observed_ms").as_u64().unwrap();
            assert!(observed < 1_800 * SECOND, "{step}: {report}");
            leak.assert_reported_by(report);
        }
        let at = |report: &crate::support::Report| report.member("at").to_string();
        assert!(at(&first) < at(&before) && at(&before) < at(&after), "{step}: {after}");
        let hour = |text: String| text.split(':').next().map(str::to_owned);
        let expected = [hour(at(&first)), hour(at(&after))];
        // A run that begins just before a full hour ends in the next.
        assert!(expected[0] == expected[1] || at(&first).contains(":59:"), "{expected:?}");
    }
}

#[test]
fn a_32_bit_program_is_supported() {
    let directory = tempfile::tempdir().unwrap();
    let flags = "-m32 -nostdlib -static -ffreestanding -fno-stack-protector";
    let arguments: Vec<&str> = flags.split(' ').collect();
    let empty = directory.path().join("empty.c");
    fs::write(&empty, "void _start(void) {}\n").unwrap();
    let place = [empty.to_str().unwrap(), "-o", "/dev/null"];
    if found("cc", &[&arguments[..], &place].concat()).is_none() {
        return;
    }
    let program = compile_c(&source("leak32.c"), directory.path(), flags);
    let mut peer = Puppet::start();
    let listener = peer.listen();
    let mut leaker = Command::new(&program);
    let leaker = Program::start(leaker.arg(listener.address.port().to_string()));
    // The program pauses between connections.
    for _ in 0..6 {
        let accepted = peer.accept(listener, 1);
        peer.send(&accepted, 8 * 1024);
    }

    let mut tracer = Tracer::start(&format!("--pid {} --idle 2s -o json", leaker.pid()));
    let report = tracer.wait_until(|report| report.leaked_by(leaker.pid()) == 6);

    let finding = report.leak_of(leaker.pid());
    assert_eq!(finding.text("comm"), "leak32", "{report}");
    assert_eq!(finding.text("verdict"), "undrained", "{report}");
    assert_eq!(finding.number("unread_bytes"), 6 * 8 * 1024, "{report}");
}

/// The largest pids: a test can choose pids only in its own pid namespace.
#[test]
fn pids_of_seven_digits_are_supported() {
    const LARGEST: u32 = 4_194_303;
    const LIMIT: &str = "/proc/sys/kernel/pid_max";
    let first = Puppet::start_in_own_processes();
    let enter = format!("nsenter --target {} --pid --mount", first.pid());
    // Before Linux 6.14 the limit is that of the host.
    let limit = fs::read_to_string(LIMIT).unwrap();
    let script = format!(
        "[ $(cat {LIMIT}) -gt {LARGEST} ] || echo {0} > {LIMIT}
         echo {1} > /proc/sys/kernel/ns_last_pid && {2}; exit",
        LARGEST + 1,
        LARGEST - 1,
        Puppet::executable().display()
    );
    let mut command = Command::new("nsenter");
    command.args(enter.split(' ').skip(1)).args(["sh", "-c", &script]);
    let mut leak = Leak::by(Puppet::start_by(&mut command), Kind::Undrained, 5);
    if fs::read_to_string(LIMIT).unwrap() != limit {
        fs::write(LIMIT, limit).unwrap();
    }

    let from_outside = format!("audit --pid {} --idle 2s -o json", leak.pid());
    let report = Tracer::run(&from_outside).report();
    leak.assert_reported_by(&report);
    assert_eq!(report.leak_of(leak.pid()).number("inner_pid"), u64::from(LARGEST), "{report}");

    leak.grow(1);
    let within = run_in(&enter, &format!("--pid {LARGEST} --idle 2s -o json"));
    let report = Tracer::spawn(within).wait_until(|report| report.leaked_by(LARGEST) == 6);
    assert_eq!(report.leak_of(LARGEST).fds(), leak.fds, "{report}");
}

#[test]
fn hidepid_does_not_affect_root_and_is_reported_to_others() {
    let mut leak = Leak::of(Kind::Undrained, 5);
    let pid = leak.pid();
    let directory = tempfile::tempdir().unwrap();
    let program = program_for_all(directory.path());
    let hidden = |user: &str, arguments: &str| {
        let mount = "mount -t proc -o hidepid=invisible proc /proc";
        let script = format!("{mount} && exec {user} {} {arguments}", program.display());
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]);
        Tracer::spawn(command).finish()
    };

    let report = hidden("", &format!("audit --pid {pid} --idle 2s -o json")).report();
    leak.assert_reported_by(&report);

    if found("setpriv", &["--version"]).is_none() {
        return;
    }
    let capable = format!(
        "setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --inh-caps=+bpf,+perfmon \
         --ambient-caps=+bpf,+perfmon"
    );
    let named = hidden(&capable, &format!("audit --pid {pid} --for 0s"));
    named.assert_one_line_error(&[&pid.to_string(), "without hidepid"]);
    leak.grow(1);
    let all = hidden(&capable, &format!("audit -D {} --idle 2s -o json", leak.port()));
    let report = all.report();
    // The iterator shows sockets of every process.
    assert_eq!(all.code, 1, "{report}");
    leak.assert_reported_by(&report);
    let coverage = report.member("coverage");
    assert!(coverage["processes_unreadable"].as_u64() > Some(0), "{coverage:#}");
    assert_eq!(coverage["complete"], false, "{coverage:#}");
}

/// Escape sequences, line ends, invalid UTF-8 and formulas, wherever a process can put them.
#[test]
fn text_chosen_by_a_process_is_escaped_everywhere() {
    use std::os::unix::ffi::OsStrExt as _;
    const EVIL: &[u8] = b"=cmd|'\x1b[2J\x1b]0;owned\x07\r\n\xff\xfe\xe2\x80\xae,\";";
    let directory = tempfile::tempdir().unwrap();
    let evil = std::ffi::OsStr::from_bytes(EVIL);
    let program = directory.path().join(evil);
    fs::copy(Puppet::executable(), &program).unwrap();
    let mut command = Command::new(&program);
    command.arg0(evil).arg(evil);
    let leak = Leak::by(Puppet::start_by(&mut command), Kind::Undrained, 5);
    let _cgroup = Cgroup::make(&format!("=evil\x1b[31m\n{}", std::process::id()))
        .inspect(|cgroup| cgroup.admit(leak.pid()));
    let pid = leak.pid();

    let audit = format!("audit --pid {pid} --idle 2s --cmdline");
    let unwanted = |character: char| {
        character.is_control() && character != '\n'
            || ('\u{202a}'..='\u{202e}').contains(&character)
    };
    // At the same time: later, the leak would have stopped.
    let forms = ["", "-w", "-o json", "-o csv"];
    let started = forms.map(|form| Tracer::start(&format!("{audit} {form}")));
    let [table, wide, json, csv] = started.map(Tracer::finish);
    for (outcome, form) in [(&table, "table"), (&wide, "wide"), (&json, "json")] {
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(!outcome.stdout.contains(unwanted), "{form}: {:?}", outcome.stdout);
        assert!(outcome.stdout.contains("undrained"), "{form}: {outcome:?}");
        assert_eq!(outcome.stderr, "", "{form}");
    }
    let rows = csv.rows();
    let connections: BTreeSet<_> = rows.of(pid).iter().map(|row| &row["CONN_ID"]).collect();
    assert_eq!(connections.len(), 5, "{csv:?}");
    for row in rows.of(pid) {
        for (column, cell) in row {
            assert!(!cell.starts_with(['=', '+', '@']), "{column}: {cell:?}");
        }
    }
    let report = json.report();
    assert!(report.leak_of(pid).text("exe").ends_with(&*evil.to_string_lossy()), "{report}");
}
