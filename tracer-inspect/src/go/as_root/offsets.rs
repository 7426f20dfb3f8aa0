//! Compares the table of offsets with the debug information of real programs, for every installed Go
//! version and both architectures.

use std::{fs::File, path::Path, process::Command, time::Instant};

use super::{
    program,
    toolchain::{self, FORMS, Form, PLAIN, STRIPPED, build_with},
};
use crate::budget::Budget;
use crate::go::{
    debug_info::Structures,
    executable::Executable,
    layout::{self, Layout, STREAM_PACKAGES},
};

/// The field of each constant; several names if it was renamed.
const CONSTANTS: [(&[&str], u64); 34] = [
    (&["runtime.g.stack + runtime.stack.lo"], layout::GOROUTINE_STACK_LOW),
    (&["runtime.g.stack + runtime.stack.hi"], layout::GOROUTINE_STACK_HIGH),
    (&["runtime.g.sched + runtime.gobuf.sp"], layout::GOROUTINE_SP),
    (&["runtime.g.sched + runtime.gobuf.pc"], layout::GOROUTINE_PC),
    (&["runtime.g._defer"], layout::GOROUTINE_DEFERRED),
    (&["runtime._defer.fn"], layout::DEFERRED_FUNCTION),
    (&["runtime.pollDesc.fd"], layout::POLL_DESCRIPTOR_FD),
    (&["bufio.Reader.rd"], layout::BUFFER_SOURCE - 8),
    (&["bufio.Reader.r"], layout::BUFFER_READ),
    (&["bufio.Reader.w"], layout::BUFFER_WRITTEN),
    (&["net/http.Request.Method"], layout::REQUEST_METHOD),
    (&["net/http.Request.URL"], layout::REQUEST_URL),
    (&["net/url.URL.Scheme"], layout::URL_SCHEME),
    (&["net/url.URL.Host"], layout::URL_HOST),
    (&["net/url.URL.Path"], layout::URL_PATH),
    (&["net/http.Response.StatusCode"], layout::RESPONSE_STATUS),
    (&["net/http.Response.ProtoMajor"], layout::RESPONSE_MAJOR),
    (&["net/http.Response.ProtoMinor"], layout::RESPONSE_MINOR),
    (&["net/http.Response.Body"], layout::RESPONSE_BODY),
    (&["net/http.Response.Request"], layout::RESPONSE_REQUEST),
    (&["net/http.bodyEOFSignal.body"], layout::BODY_INNER),
    (&["net/http.bodyEOFSignal.fn"], layout::BODY_SIGNAL),
    (&["net/http.body.src"], layout::INNER_SOURCE),
    (&["runtime.hchan.dataqsiz"], layout::CHANNEL_CAPACITY),
    (&["runtime.hchan.elemsize"], layout::CHANNEL_ELEMENT_SIZE),
    (&["net/http.responseAndError.err"], layout::RESPONSE_AND_ERROR_SIZE - 16),
    (&["runtime.itab._type", "internal/abi.ITab.Type"], layout::ITAB_TYPE),
    (&["runtime._type.kind", "internal/abi.Type.Kind_"], layout::TYPE_KIND),
    (&["runtime.ptrtype.elem", "internal/abi.PtrType.Elem"], layout::TYPE_TARGET),
    (&["runtime.moduledata.ftab"], layout::MODULE_FUNCTIONS_LENGTH as u64 - 8),
    (&["runtime.moduledata.minpc"], layout::MODULE_LOWEST as u64),
    (&["runtime.moduledata.maxpc"], layout::MODULE_HIGHEST as u64),
    (&["runtime.moduledata.text"], layout::MODULE_TEXT as u64),
    (&["runtime.moduledata.etext"], layout::MODULE_TEXT_END as u64),
];

/// The debug information of all fields of the layout.
fn structures_of(program: &Path) -> Structures {
    let mut paths: Vec<String> =
        Layout::of(19).offsets().into_iter().map(|(path, _)| path).collect();
    paths.extend(CONSTANTS.iter().flat_map(|(names, _)| *names).map(|name| (*name).to_owned()));
    let begin = Instant::now();
    let structures =
        Structures::read(File::open(program).unwrap(), &paths, &Budget::default()).unwrap();
    println!("{}: {:?}", program.display(), begin.elapsed());
    structures
}

#[track_caller]
fn check(program: &Path, minor: u32, machine: &str) {
    let structures = structures_of(program);
    let mut layout = Layout::of(minor);
    if machine == "arm64" {
        // It has larger cache lines. Goroutines are not searched there.
        layout.heap.heap_arenas = structures.offset("runtime.mheap.arenas").unwrap();
    }
    let own = if minor < 27 { STREAM_PACKAGES[0] } else { STREAM_PACKAGES[1] };
    for (path, offset) in layout.offsets() {
        let is_elsewhere = |package: &str| path.starts_with(package) && package != own;
        let exists = !STREAM_PACKAGES.into_iter().any(is_elsewhere);
        assert_eq!(structures.offset(&path), exists.then_some(*offset), "1.{minor}: {path}");
    }
    for (names, offset) in CONSTANTS {
        let actual: Vec<_> = names.iter().filter_map(|name| structures.offset(name)).collect();
        assert!(actual.contains(&offset), "1.{minor}: {names:?} {actual:?}");
    }
    let read = Layout::read(minor, File::open(program).unwrap(), &Budget::default());
    assert_eq!(read, layout, "1.{minor}");
}

#[test]
fn the_table_matches_the_debug_information_of_programs() {
    let directory = tempfile::tempdir().unwrap();
    for go in toolchain::toolchains() {
        for machine in ["amd64", "arm64"] {
            let environment = [("GOARCH", machine)];
            let source = program::source("connections");
            let program = build_with(&go, directory.path(), PLAIN, &source, &environment);
            let executable =
                Executable::read(File::open(&program).unwrap(), &Budget::default()).unwrap();
            let minor = executable.minor_version;
            println!("Go 1.{minor} for {machine}");
            if minor > layout::NEWEST {
                println!("skipped: newer than the table");
                continue;
            }
            check(&program, minor, machine);
        }
    }
}

#[test]
fn debug_information_is_read_in_every_compression() {
    let directory = tempfile::tempdir().unwrap();
    let build = |form| {
        build_with(&toolchain::go(), directory.path(), form, &program::source("connections"), &[])
    };
    let program = build(PLAIN);
    let minor =
        Executable::read(File::open(&program).unwrap(), &Budget::default()).unwrap().minor_version;
    check(&program, minor, "amd64");
    for compression in ["none", "zlib-gnu", "zlib"] {
        let copy = directory.path().join(compression);
        let mut objcopy = Command::new("objcopy");
        objcopy.arg(format!("--compress-debug-sections={compression}")).arg(&program).arg(&copy);
        assert!(objcopy.status().unwrap().success(), "{compression}");
        check(&copy, minor, "amd64");
    }
    for form in FORMS {
        check(&build(Form { stripping: "", ..form }), minor, "amd64");
    }
    // Without debug information the table applies.
    let stripped = build(STRIPPED);
    assert_eq!(structures_of(&stripped).offset("net/http.persistConn.conn"), None);
    let read = Layout::read(minor, File::open(&stripped).unwrap(), &Budget::default());
    assert_eq!(read, Layout::of(minor));
}
