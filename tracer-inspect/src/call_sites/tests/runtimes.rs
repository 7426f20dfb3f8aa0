//! Programs in Go, and in languages whose runtime has a JIT compiler.

use std::process::Command;

use super::{
    native::{FRAMED, compile_c},
    *,
};

/// The explanation of the frame rules in a reason.
#[track_caller]
fn explanation(reason: &CallSiteReason) -> &str {
    match reason {
        CallSiteReason::HiddenByRuntime { explanation: text }
        | CallSiteReason::FramePointersMissing { explanation: Some(text), .. } => text,
        _ => panic!("{reason:?}"),
    }
}

#[test]
fn a_perf_map_names_generated_code() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile_c(directory.path(), &["-O1", "-g", FRAMED]);
    let generated = |line: Option<&str>| {
        let waiting = Waiting::start(Command::new(&program).arg("generated").args(line));
        let found = call_site(&waiting);
        let _ = fs::remove_file(format!("/tmp/perf-{}.map", waiting.key().pid));
        found
    };
    assert_eq!(generated(Some("py::fetch:/app/billing.py")), Ok(Some("fetch billing.py".into())));
    let javascript = generated(Some("JS:*fetch file:///app/billing.mjs:10:5"));
    assert_eq!(javascript, Ok(Some("fetch billing.mjs:10".into())));
    let java = generated(Some("void com.acme.Billing.charge(int)"));
    assert_eq!(java, Ok(Some("com.acme.Billing.charge".into())));
    // A library function is skipped, and its caller is found.
    let skipped = generated(Some("py::get:/venv/lib/python3.12/site-packages/requests/api.py"));
    assert!(skipped.unwrap().unwrap().starts_with("through_generated_code waits.c:"));
    let hidden = generated(Some("Builtin:InterpreterEntryTrampoline")).unwrap_err();
    assert!(explanation(&hidden).contains("--interpreted-frames-native-stack"), "{hidden:?}");
    assert_eq!(generated(None), Err(CallSiteReason::SymbolsMissing { module: None }));
}

#[cfg(feature = "root-tests")]
mod as_root {
    use super::*;
    use crate::go::Stacks;

    #[test]
    fn a_go_request_has_the_call_site_of_the_application() {
        let directory = tempfile::tempdir().unwrap();
        let stacks = Stacks::plain(directory.path());
        let pid = stacks.child.id();
        let start_time_ns = started(pid).unwrap() * TICK_NS;
        let process = ProcessKey { pid, start_time_ns };
        let (mut symbols, mut programs) = (call_sites(), GoPrograms::default());
        let mut call_site = |name: &str, skipped: usize| {
            let reported = stacks.reported.iter().find(|it| it.name == name).unwrap();
            let stack = recorded(&reported.addresses[skipped..]);
            symbols.call_site(&mut programs, process, &stack, &Budget::default())
        };
        let line = |text: &str| line("../go/stacks/main.go", text);
        // Without the frames of the test's own transport, as if it were part of the library.
        for (name, expected) in [
            ("get", line("client.Get(")),
            ("default", line("http.Get(")),
            ("do", line("Do(request)")),
        ] {
            let expected = format!("main.doSomething main.go:{expected}");
            assert_eq!(call_site(name, 3), Ok(Some(expected)), "{name}");
        }
        for reported in &stacks.reported {
            let place = call_site(&reported.name, 1).unwrap().unwrap();
            assert!(place.starts_with("main."), "{}: {place}", reported.name);
        }
        let generic = call_site("generic int", 1).unwrap().unwrap();
        assert!(generic.starts_with("main.generic[...] main.go:"), "{generic}");
        let closure = call_site("closures", 1).unwrap().unwrap();
        assert!(closure.starts_with("main.main.func"), "{closure}");
        // The outermost frame belongs to the runtime.
        let last = stacks.reported[0].addresses.len() - 1;
        assert_eq!(call_site("init", last), Ok(None));
    }

    #[test]
    fn a_perf_map_of_another_user_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let program = compile_c(directory.path(), &["-O1", "-g", FRAMED]);
        let waiting =
            Waiting::start(Command::new(&program).args(["generated", "py::fetch:/app/billing.py"]));
        let map = format!("/tmp/perf-{}.map", waiting.key().pid);
        std::os::unix::fs::chown(&map, Some(4711), None).unwrap();
        let found = call_site(&waiting);
        fs::remove_file(map).unwrap();
        assert_eq!(found, Err(CallSiteReason::PerfMapUntrusted));
    }

    #[test]
    fn javascript_functions_have_names_if_node_writes_a_perf_map() {
        // Node writes a log to its working directory.
        let directory = tempfile::tempdir().unwrap();
        let found = |options: &[&str]| {
            let mut node = Command::new("node");
            node.current_dir(directory.path()).args(options).arg(source("waits.js"));
            let waiting = Waiting::start(&mut node);
            let found = call_site(&waiting);
            let _ = fs::remove_file(format!("/tmp/perf-{}.map", waiting.key().pid));
            found
        };
        let expected = format!("ask waits.js:{}", line("waits.js", "function ask()"));
        let all = found(&["--perf-basic-prof", "--interpreted-frames-native-stack"]);
        assert_eq!(all, Ok(Some(expected)));
        let reason = found(&["--perf-basic-prof"]).unwrap_err();
        assert!(explanation(&reason).contains("--interpreted-frames-native-stack"), "{reason:?}");
        let reason = found(&[]).unwrap_err();
        assert!(explanation(&reason).contains("--perf-basic-prof"), "{reason:?}");
    }

    #[test]
    fn python_functions_have_names_only_with_a_perf_map() {
        // A Python other than the one in PATH.
        let other = std::env::var("TRACER_TEST_PYTHON").ok();
        for program in other.iter().map(String::as_str).chain(["python3"]) {
            for options in [&[][..], &["-Xperf"]] {
                let waiting =
                    Waiting::start(Command::new(program).args(options).arg(source("waits.py")));
                let found = call_site(&waiting);
                let _ = fs::remove_file(format!("/tmp/perf-{}.map", waiting.key().pid));
                match found {
                    Ok(Some(place)) => {
                        assert_eq!(place, "Client.fetch_quote waits.py", "{program}");
                    }
                    Ok(None) => panic!("{program} {options:?}: neither call site nor reason"),
                    Err(reason) => {
                        assert!(explanation(&reason).contains("-X perf"), "{program}: {reason:?}");
                    }
                }
            }
        }
    }
}
