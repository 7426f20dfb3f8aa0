//! The options that `docs/compatibility.md` promises to keep. Options may be added to these lists;
//! none may be removed.

use clap::CommandFactory as _;

use super::Cli;

#[rustfmt::skip]
const COMMANDS: [(&str, &[&str]); 8] = [
    ("", WATCH),
    ("audit", WATCH),
    ("record", WATCH),
    (
        "replay",
        &[
            "at", "idle", "min-count", "pool-size", "pool-idle", "min-unread", "growth-for",
            "fail-on", "all", "output", "show", "csv", "wide", "verbose",
        ],
    ),
    (
        "report",
        &[
            "at", "idle", "min-count", "pool-size", "pool-idle", "min-unread", "growth-for",
            "fail-on", "all", "html", "show",
        ],
    ),
    ("diff", &["fail-on", "output"]),
    ("doctor", &["output"]),
    ("demo", &["for", "output", "show", "csv", "wide", "verbose", "cmdline"]),
];

#[rustfmt::skip]
const WATCH: &[&str] = &[
    "pid", "children", "comm", "cgroup", "container", "local-port", "remote-port", "remote", "go",
    "no-uprobes", "idle", "min-count", "pool-size", "pool-idle", "min-unread", "growth-for",
    "fail-on", "all", "for", "interval", "call-sites", "output", "show", "csv", "wide",
    "verbose", "cmdline", "record", "max-size",
];

/// The short form of each option, in every command that has the option.
const LETTERS: [(char, &str); 6] = [
    ('p', "pid"),
    ('L', "local-port"),
    ('D', "remote-port"),
    ('o', "output"),
    ('w', "wide"),
    ('v', "verbose"),
];

#[test]
fn promised_options_are_accepted() {
    let root = Cli::command();
    for (name, options) in COMMANDS {
        let command = if name.is_empty() {
            &root
        } else {
            root.find_subcommand(name).unwrap_or_else(|| panic!("no command {name}"))
        };
        for option in options {
            let argument = command.get_arguments().find(|it| it.get_long() == Some(option));
            let argument = argument.unwrap_or_else(|| panic!("no option --{option} in {name}"));
            let letter = LETTERS.iter().find(|(_, long)| long == option).map(|(letter, _)| *letter);
            assert!(letter.is_none_or(|it| argument.get_short() == Some(it)), "{name} {option}");
        }
    }
}
