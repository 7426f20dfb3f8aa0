//! The program `tracer`: see `lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tracer::main()
}
