//! Containers, created from cgroups and namespaces without a container runtime.

use crate::support::{Cgroup, Kind, Leak, Puppet, Tracer, run_in};

const POD: &str = "6a1e4f0c-1d2b-4c3d-8e5f-a0b1c2d3e4f5";
/// All namespaces except user, pid and time.
const CONTAINER: &str = "unshare --mount --net --uts --ipc --cgroup";

/// A unique id.
fn container_id(number: u32) -> String {
    format!("{:08x}", std::process::id() << 4 | number).repeat(8)
}

fn leak_in(cgroup: &Cgroup) -> Leak {
    let leak = Leak::of(Kind::Undrained, 5);
    cgroup.admit(leak.pid());
    leak
}

#[test]
fn a_container_and_its_pod_are_known_by_the_cgroup() {
    let id = container_id(1);
    let pod = format!("kubepods-burstable-pod{}.slice", POD.replace('-', "_"));
    let path = format!("tracer-{}/{pod}/cri-containerd-{id}.scope", std::process::id());
    let Some(cgroup) = Cgroup::make(&path) else { return };
    let leak = leak_in(&cgroup);

    let audit = format!("audit --pid {} --idle 2s", leak.pid());
    let wide = Tracer::start(&format!("{audit} -w"));
    let report = Tracer::run(&format!("{audit} -o json")).report();

    leak.assert_reported_by(&report);
    let finding = report.leak_of(leak.pid());
    assert_eq!(finding.text("container"), id);
    assert_eq!(finding.text("container_runtime"), "containerd");
    assert_eq!(finding.text("pod_uid"), POD);
    assert!(finding.is_null("inner_pid"), "{report}");
    let table = wide.finish().stdout;
    assert!(table.contains(&format!("container {} of containerd", &id[..12])), "{table}");
    assert!(table.contains(&format!("pod {POD}")), "{table}");
}

#[test]
fn a_container_is_selected_by_a_prefix_of_its_id() {
    let ids = [container_id(2), container_id(3)];
    let place = |id| format!("tracer-{}-{id}/docker/{id}", std::process::id());
    let Some(cgroup) = Cgroup::make(&place(&ids[0])) else { return };
    let Some(other) = Cgroup::make(&place(&ids[1])) else { return };
    let (leak, outside) = (leak_in(&cgroup), Leak::of(Kind::Undrained, 5));
    let beside = leak_in(&other);

    let chosen = ids[0][..12].to_uppercase();
    let report = Tracer::run(&format!("audit --container {chosen} --idle 2s -o json")).report();

    leak.assert_reported_by(&report);
    assert_eq!(report.leak_of(leak.pid()).text("container_runtime"), "docker");
    for unasked in [&outside, &beside] {
        assert!(report.findings_of(unasked.pid()).is_empty(), "{report}");
    }
    // A prefix of both ids.
    let ambiguous = format!("audit --container {} --for 0s", &ids[0][..7]);
    Tracer::run(&ambiguous).assert_one_line_error(&["containers begin with", "more digits"]);
}

#[test]
fn a_containers_process_has_the_pid_of_the_host() {
    let leak = Leak::by(Puppet::start_in_own_processes(), Kind::Undrained, 5);

    let audit = format!("audit --pid {} --idle 2s", leak.pid());
    let (table, wide) = (Tracer::start(&audit), Tracer::start(&format!("{audit} -w")));
    let report = Tracer::run(&format!("{audit} -o json")).report();

    leak.assert_reported_by(&report);
    assert_eq!(report.leak_of(leak.pid()).number("inner_pid"), 1, "{report}");
    let table = table.finish().stdout;
    assert!(table.contains("undrained"), "{table}");
    assert!(!table.contains("in its pid namespace"), "{table}");
    let table = wide.finish().stdout;
    assert!(table.contains("pid 1 in its pid namespace"), "{table}");
}

#[test]
fn a_container_that_shares_the_pid_namespace_sees_the_host() {
    let leak = Leak::by(Puppet::start_in_own_processes(), Kind::Undrained, 5);

    let mut live =
        Tracer::spawn(run_in(CONTAINER, &format!("--pid {} --idle 2s -o json", leak.pid())));
    let command = run_in(CONTAINER, "audit --idle 2s -o json");
    let report = Tracer::spawn(command).finish().report();

    leak.assert_reported_by(&report);
    live.wait_until(|report| report.leaked_by(leak.pid()) == 5);
}

#[test]
fn doctor_reports_what_a_container_hides() {
    let outcome = Tracer::spawn(run_in(CONTAINER, "doctor")).finish();
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.stdout.contains("inside a cgroup namespace"), "{outcome:?}");
    assert!(!outcome.stdout.contains("inside a pid namespace"), "{outcome:?}");

    let alone = run_in("unshare --pid --fork --mount-proc", "doctor");
    let outcome = Tracer::spawn(alone).finish();
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.stdout.contains("inside a pid namespace"), "{outcome:?}");
    assert!(outcome.stdout.contains("--pid=host"), "{outcome:?}");
}

#[test]
fn a_run_inside_a_container_sees_and_reports_only_the_container() {
    let inside = Leak::by(Puppet::start_in_own_processes(), Kind::Undrained, 5);
    let outside = Leak::of(Kind::Undrained, 5);
    let enter = format!("nsenter --target {} --pid --mount", inside.pid());

    let mut live = Tracer::spawn(run_in(&enter, "--pid 1 --idle 2s -o json"));
    let report = Tracer::spawn(run_in(&enter, "audit --idle 2s -o json")).finish().report();

    // Inside, its pid is 1.
    assert_eq!(report.leaked_by(1), 5, "{report}");
    assert_eq!(report.leak_of(1).fds(), inside.fds, "{report}");
    assert!(report.findings_of(outside.pid()).is_empty(), "{report}");
    assert!(report.note("outside-not-visible").is_some(), "{report}");
    assert_eq!(report.member("coverage")["complete"], false, "{report}");

    let report = live.wait_until(|report| report.leaked_by(1) == 5);
    // What was asked for is visible.
    assert!(report.note("inside-pid-namespace").is_some(), "{report}");
    assert_eq!(report.member("coverage")["complete"], true, "{report}");
}

/// In a pid namespace of its own it sees nothing of the host, so finding nothing means nothing.
#[test]
fn an_audit_that_sees_nothing_of_what_was_asked_for_does_not_exit_with_0() {
    let own = "unshare --pid --fork --mount-proc";
    let outside = Leak::of(Kind::Undrained, 5);
    for arguments in ["", "--comm tracer", "--source sock-diag", "-D 65535"] {
        let audit = run_in(own, &format!("audit --for 0s {arguments}"));
        let outcome = Tracer::spawn(audit).finish();
        assert_eq!(outcome.code, 3, "{arguments}: {outcome:?}");
        assert!(outcome.stdout.contains("COVERAGE IS INCOMPLETE"), "{outcome:?}");
        assert!(outcome.stdout.contains("pid namespace"), "{outcome:?}");
    }
    // It is pid 1 there, and a pid of the host is no process.
    let itself = Tracer::spawn(run_in(own, "audit --for 0s --pid 1")).finish();
    assert_eq!(itself.code, 0, "{itself:?}");
    assert!(itself.stdout.contains("Coverage is complete"), "{itself:?}");
    let other = format!("audit --for 0s --pid {}", outside.pid());
    Tracer::spawn(run_in(own, &other)).finish().assert_one_line_error(&["no process"]);
}

#[test]
fn another_proc_or_time_namespace_is_an_error() {
    let proc = Tracer::spawn(run_in("unshare --pid --fork", "audit --for 0s")).finish();
    proc.assert_one_line_error(&["another pid namespace", "mount -t proc"]);
    let clock = run_in("unshare --time --monotonic 100000 --fork", "audit --for 0s");
    let clock = Tracer::spawn(clock).finish();
    clock.assert_one_line_error(&["time namespace", "nsenter --time"]);
}
