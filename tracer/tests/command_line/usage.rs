//! Errors of the command line.

use crate::support::Tracer;

#[test]
fn a_usage_error_is_one_line_on_standard_error() {
    for arguments in ["audit --no-such-option", "--pid zero", "audit --idle soon"] {
        let option = arguments.split(' ').find(|word| word.starts_with("--")).unwrap();

        Tracer::run(arguments).assert_one_line_error(&[option, "see tracer --help"]);
    }
}

#[test]
fn help_and_version_are_on_standard_output() {
    for (arguments, text) in [("--help", "Usage:"), ("audit -h", "Usage:"), ("--version", "tracer")]
    {
        let outcome = Tracer::run(arguments);

        assert_eq!((outcome.code, &*outcome.stderr), (0, ""), "{outcome:?}");
        assert!(outcome.stdout.contains(text), "{outcome:?}");
    }
}
