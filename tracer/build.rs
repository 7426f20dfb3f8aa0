//! Selects the BPF object to embed: the committed one, or the one that `TRACER_BPF_OBJECT` names.
//! The program includes it through `env!("TRACER_BPF_OBJECT")`.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=TRACER_BPF_OBJECT");
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/bpf/tracer.bpf.o");
    let object = env::var("TRACER_BPF_OBJECT").unwrap_or_else(|_| committed.to_owned());

    println!("cargo::rerun-if-changed={object}");
    if !Path::new(&object).is_file() {
        println!("cargo::error={object} does not exist; `cargo xtask ebpf` builds it");
    }
    println!("cargo::rustc-env=TRACER_BPF_OBJECT={object}");
}
