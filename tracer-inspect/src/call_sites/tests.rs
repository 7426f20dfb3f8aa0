//! Call sites of real programs (`tests/symbols`), from stacks as the kernel records them.

#![cfg(target_arch = "x86_64")]

mod native;
mod runtimes;
mod waiting;

use std::path::{Path, PathBuf};

use super::*;
use crate::process::identity::{TICK_NS, started};
use waiting::Waiting;

/// A recorded stack with addresses only, without its top.
fn recorded(addresses: &[u64]) -> UserStack {
    UserStack { addresses: addresses.to_vec(), top: None }
}

fn call_sites() -> CallSites {
    CallSites::new(Rules::load(None).unwrap())
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tracer/tests/symbols").join(name)
}

/// The number of the only line of a source file with this text.
fn line(name: &str, text: &str) -> usize {
    let source = fs::read_to_string(source(name)).unwrap();
    let mut lines = (1..).zip(source.lines()).filter(|(_, line)| line.contains(text));
    let line = lines.next().unwrap().0;
    assert_eq!(lines.next(), None, "{text} occurs twice in {name}");
    line
}

/// Checks that the frame pointers were lost in the C library.
#[track_caller]
fn expect_lost_in_libc(reason: &CallSiteReason) {
    let is_expected = match reason {
        CallSiteReason::FramePointersMissing { module: Some(module), explanation: None } => {
            module.starts_with("libc")
        }
        _ => false,
    };
    assert!(is_expected, "{reason:?}");
}

/// The call site of the system call that a process is blocked in.
fn call_site(waiting: &Waiting) -> Result<Option<String>, CallSiteReason> {
    let stack = waiting.stack();
    call_sites().call_site(
        &mut GoPrograms::default(),
        waiting.key(),
        &recorded(&stack),
        &Budget::default(),
    )
}

#[test]
fn a_process_that_has_ended_gets_no_answer() {
    let mut programs = GoPrograms::default();
    let pid = std::process::id();
    let here = (libc::getpid as unsafe extern "C" fn() -> _ as *const ()).addr() as u64;
    let mut answer = |start_time_ns, addresses: Option<&[u64]>| {
        let process = ProcessKey { start_time_ns, pid };
        call_sites().answer(
            &mut programs,
            process,
            StackId(7),
            addresses.map(recorded).as_ref(),
            &Budget::default(),
        )
    };
    assert_eq!(answer(1, Some(&[here])), None);
    let started = started(pid).unwrap() * TICK_NS;
    let mut reason = |addresses| match answer(started, addresses) {
        Some(Input::CallSite(CallSite {
            stack: StackId(7),
            location: None,
            reason: Some(reason),
            ..
        })) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(None), CallSiteReason::StackNotKept);
    assert_eq!(reason(Some(&[])), CallSiteReason::StackEmpty);
    let unmapped = reason(Some(&[8, 16]));
    assert!(
        matches!(unmapped, CallSiteReason::Process(Limit::MemoryUnreadable { .. })),
        "{unmapped:?}"
    );
    expect_lost_in_libc(&reason(Some(&[here, here, here])));
}

#[test]
fn a_runtime_with_a_perf_map_hides_no_functions() {
    let rules = Rules::load(None).unwrap();
    let text = "start it with a perf map";
    let (previous, explanation) = (None, Some(text));
    let mut walk = Walk { rules: &rules, pid: 0, previous, explanation, has_names: false };
    let lost = |explanation| CallSiteReason::FramePointersMissing { module: None, explanation };
    let explanation = text.to_owned();
    assert_eq!(walk.ended(), Err(CallSiteReason::HiddenByRuntime { explanation }));
    assert_eq!(walk.lost(), lost(Some(text.to_owned())));
    walk.has_names = true;
    assert_eq!(walk.ended(), Ok(None));
    assert_eq!(walk.lost(), lost(None));
}
