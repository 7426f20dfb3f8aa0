//! The documented capabilities are sufficient and each of them is necessary; those that are no
//! longer needed are dropped.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Kind, Leak, NOBODY, Report, Tracer, found, launcher_of, program_for_all, worker_of,
};

/// Sufficient for everything except uprobes and mounting file systems.
const STATED: &str = "+bpf,+perfmon,+sys_ptrace,+dac_read_search";

/// Bits of capability sets (`include/uapi/linux/capability.h`).
const CHOWN: u64 = 1 << 0;
const DAC_OVERRIDE: u64 = 1 << 1;
const DAC_READ_SEARCH: u64 = 1 << 2;
const FOWNER: u64 = 1 << 3;
const SYS_PTRACE: u64 = 1 << 19;
const SYS_ADMIN: u64 = 1 << 21;
const PERFMON: u64 = 1 << 38;
const BPF: u64 = 1 << 39;
const CHECKPOINT_RESTORE: u64 = 1 << 40;

/// An audit by `nobody` with these capabilities; `None` if `setpriv` is missing.
fn audit(capabilities: &str, leak: &Leak) -> Option<Report> {
    let setpriv = found("setpriv", &["--version"])?;
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(setpriv);
    command.arg(format!("--reuid={NOBODY}")).arg(format!("--regid={NOBODY}"));
    command.arg("--clear-groups");
    command.arg(format!("--inh-caps={capabilities}"));
    command.arg(format!("--ambient-caps={capabilities}"));
    command.arg(program_for_all(directory.path()));
    let pid = leak.pid().to_string();
    command.args(["audit", "--idle", "2s", "-o", "json", "--pid", &pid]);
    Some(Tracer::spawn(command).finish().report())
}

#[test]
fn an_ordinary_user_with_the_stated_capabilities_sees_other_users_leaks() {
    let leak = Leak::of(Kind::Undrained, 5);

    let Some(report) = audit(STATED, &leak) else { return };

    assert!(!report.is_degraded(), "{report}");
    leak.assert_reported_by(&report);
    assert!(!report.leak_of(leak.pid()).is_null("exe"), "{report}");
    assert_eq!(report.member("coverage")["complete"], true, "{report}");
}

#[test]
fn without_sys_ptrace_the_executable_is_unknown() {
    let leak = Leak::of(Kind::Undrained, 5);

    let Some(report) = audit("+bpf,+perfmon,+dac_read_search", &leak) else { return };

    assert!(!report.is_degraded(), "{report}");
    leak.assert_reported_by(&report);
    assert!(report.leak_of(leak.pid()).is_null("exe"), "{report}");
}

#[test]
fn without_bpf_or_perfmon_sock_diag_is_used() {
    let mut leak = Leak::of(Kind::Undrained, 5);
    for capabilities in
        ["+perfmon,+sys_ptrace,+dac_read_search", "+bpf,+sys_ptrace,+dac_read_search"]
    {
        let Some(report) = audit(capabilities, &leak) else { return };

        assert!(report.is_degraded(), "{capabilities}: {report}");
        leak.assert_reported_by(&report);
        // The leak continues.
        leak.grow(1);
    }
}

#[test]
fn without_dac_read_search_and_kernel_programs_other_users_are_unreadable() {
    let leak = Leak::of(Kind::Undrained, 5);

    let Some(report) = audit("+sys_ptrace", &leak) else { return };

    assert!(report.findings_of(leak.pid()).is_empty(), "{report}");
    assert_eq!(report.member("coverage")["complete"], false, "{report}");
    assert_eq!(report.member("coverage")["processes_unreadable"], 1, "{report}");
}

#[test]
fn capabilities_that_are_not_needed_after_the_start_are_dropped() {
    let leak = Leak::prepare(Kind::Undrained);
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("run.rec");
    let recording = recording.display();
    let looks = DAC_READ_SEARCH | SYS_PTRACE | CHECKPOINT_RESTORE;
    for (arguments, allowed) in [
        ("--no-uprobes", looks | BPF),
        ("", looks | BPF | PERFMON | SYS_ADMIN),
        ("--source sock-diag", looks | SYS_ADMIN),
        (&format!("--no-uprobes --record {recording}"), looks | BPF),
        (
            &format!("--no-uprobes --record {recording} --max-size 1MiB"),
            looks | BPF | CHOWN | DAC_OVERRIDE | FOWNER,
        ),
    ] {
        let mut tracer = Tracer::start(&format!("--pid {} -o json {arguments}", leak.pid()));
        tracer.wait_for_first_report();

        let status = fs::read_to_string(format!("/proc/{}/status", tracer.id())).unwrap();
        for set in ["CapPrm:", "CapEff:", "CapInh:", "CapAmb:"] {
            let value = status.lines().find_map(|line| line.strip_prefix(set)).unwrap();
            let kept = u64::from_str_radix(value.trim(), 16).unwrap();
            assert_eq!(kept & !allowed, 0, "{arguments}: {set} {kept:x}");
        }
        assert_exec_gains_nothing(tracer.id());
        tracer.interrupt();
    }
}

/// The user owns nothing, and no capability can be gained.
fn assert_exec_gains_nothing(pid: u32) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = |name| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    for ids in ["Uid:", "Gid:"] {
        let of_user = |id: &str| ["0", &NOBODY.to_string()].contains(&id);
        assert!(!value(ids).split_whitespace().any(of_user), "{ids} {}", value(ids));
    }
    assert_eq!(value("Groups:"), "");
    for set in ["CapInh:", "CapBnd:", "CapAmb:"] {
        assert_eq!(value(set), "0000000000000000", "{set}");
    }
    assert_eq!(value("NoNewPrivs:"), "1");
    // It is not dumpable: no process of its user may attach to it.
    let owner = fs::metadata(format!("/proc/{pid}/mem")).unwrap().uid();
    assert_eq!(owner, 0);
}

/// It shares the file descriptors of the tracer, removes its uprobes in the background, and does
/// nothing else.
#[test]
fn the_process_that_outlives_the_tracer_has_no_capabilities() {
    let leak = Leak::prepare(Kind::Undrained);
    let mut tracer = Tracer::start(&format!("--pid {} -o json", leak.pid()));
    tracer.wait_for_first_report();

    let of = |pid: u32, file: &str| {
        fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
    };
    let children = of(tracer.id(), &format!("task/{}/children", tracer.id()));
    let children = children.split_whitespace().map(|pid| pid.parse::<u32>().unwrap());
    let same: Vec<u32> =
        children.filter(|pid| of(*pid, "cmdline") == of(tracer.id(), "cmdline")).collect();
    let [keeper] = same[..] else { panic!("{same:?}") };

    let status = of(keeper, "status");
    let value = |name| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    for set in ["CapPrm:", "CapEff:", "CapInh:", "CapAmb:"] {
        assert_eq!(value(set), "0000000000000000", "{set}");
    }
    assert_exec_gains_nothing(keeper);
    tracer.interrupt();
    // The keeper exits too.
    let deadline = Instant::now() + Duration::from_mins(1);
    while Path::new(&format!("/proc/{keeper}")).exists() {
        assert!(Instant::now() < deadline, "{}", of(keeper, "status"));
        thread::sleep(Duration::from_millis(20));
    }
}

/// What `tracer doctor` suggests, on a file that an ordinary user runs.
#[test]
fn with_file_capabilities_an_ordinary_user_sees_other_users_leaks_and_an_exec_gains_nothing() {
    let Some(setpriv) = found("setpriv", &["--version"]) else { return };
    let Some(setcap) = found("setcap", &["-h"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let program = program_for_all(directory.path());
    let granted = DAC_READ_SEARCH | SYS_PTRACE | PERFMON | BPF;
    let stated = "cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep";
    assert!(Command::new(setcap).arg(stated).arg(&program).status().unwrap().success());
    let mut leak = Leak::of(Kind::Undrained, 5);
    let mut command = Command::new(setpriv);
    command.arg(format!("--reuid={NOBODY}")).arg(format!("--regid={NOBODY}"));
    command.args(["--clear-groups", "--inh-caps=-all"]).arg(&program);
    command.args(["--pid", &leak.pid().to_string(), "--idle", "2s", "-o", "json"]);

    let mut tracer = Tracer::spawn(command);
    // Its call sites are those of connections that are opened while the run lasts.
    tracer.wait_for_first_report();
    leak.grow(5);
    let report = tracer.wait_until(|report| {
        report.leaked_by(leak.pid()) == 10 && !report.leak_of(leak.pid()).is_null("exe")
    });

    assert!(!report.is_degraded(), "{report}");
    leak.assert_reported_by(&report);
    assert_eq!(report.member("coverage")["complete"], true, "{report}");
    let worker = worker_of(launcher_of(&tracer), None);
    let reading = DAC_READ_SEARCH | SYS_PTRACE;
    for (pid, allowed) in [(tracer.id(), granted), (worker, reading)] {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let value = |name| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        let set = |name| u64::from_str_radix(value(name), 16).unwrap();
        assert_eq!(set("CapPrm:") & !allowed, 0, "{status}");
        assert_eq!(set("CapEff:") & !allowed, 0, "{status}");
        // An ordinary user without inheritable and ambient capabilities gains only those of the
        // file, which `no_new_privs` prevents. The bounding set cannot be emptied without
        // `CAP_SETPCAP`, and does not matter then.
        assert_eq!(set("CapInh:") | set("CapAmb:"), 0, "{status}");
        assert_eq!(value("NoNewPrivs:"), "1", "{status}");
        let nobody = [(); 4].map(|()| NOBODY.to_string());
        assert_eq!(value("Uid:").split_whitespace().collect::<Vec<_>>(), nobody, "{status}");
        assert_eq!(value("Groups:"), "", "{status}");
    }
    tracer.interrupt();
}
