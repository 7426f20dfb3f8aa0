//! The options of interpreters that affect where the program is in a command line.

/// An interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interpreter {
    Python,
    Node,
    Ruby,
    Perl,
    Php,
    Java,
    Shell,
}

/// The meaning of an argument in the search for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// An option without a separate value.
    Flag,
    /// An option whose value is the next argument.
    ValueFollows,
    /// The program itself.
    Program,
    /// An option that contains the program.
    ProgramIs(&'a str),
    /// The next argument is the program.
    ProgramFollows,
    /// An unknown option, or one that means that there is no program file: the code comes from the
    /// command line or from stdin.
    Unknown,
}

use Meaning::{Flag, Program, ProgramFollows, ProgramIs, Unknown, ValueFollows};

/// One-letter options, several of which may share an argument. Letters in no list, such as Python's
/// `-c`, make the argument unknown.
struct Letters {
    /// Without a value.
    flags: &'static str,
    /// With a value: the rest of the argument, or the next argument if there is no rest.
    values: &'static str,
    /// With a value that is always the next argument.
    next: &'static str,
    /// With an optional value: the rest of the argument.
    rest: &'static str,
    /// With an optional value of digits, after which other letters may follow.
    digits: &'static str,
    /// The value is the program.
    program: &'static str,
}

/// `SHORT_OPTS` in `Python/getopt.c`; `-3` and `-Q` exist in Python 2.
const PYTHON: Letters = Letters {
    flags: "bBdEiIOPqRsStuvx3",
    values: "WXQ",
    program: "m",
    next: "",
    rest: "",
    digits: "",
};
/// `proc_options` in `ruby.c`. The colon is for `-W:no-deprecated`.
const RUBY: Letters = Letters {
    flags: "adlnpsSUvwy",
    values: "rIEC",
    rest: "Fi:",
    digits: "0TW",
    next: "",
    program: "",
};
/// `Perl_moreswitches` in `perl.c`. The colon is for `-d:Module`.
const PERL: Letters = Letters {
    flags: "acdfnpsStTuUwWX",
    values: "I",
    rest: "CDFMmi:",
    digits: "0l",
    next: "",
    program: "",
};
/// `OPTIONS` in `sapi/cli/php_cli.c`.
const PHP: Letters =
    Letters { flags: "nCeqH", values: "cdzt", program: "f", next: "", rest: "", digits: "" };
/// POSIX sh and Bash.
const SHELL: Letters = Letters {
    flags: "abefhiklmnprtuvxBCEHPT",
    next: "oO",
    values: "",
    rest: "",
    digits: "",
    program: "",
};

/// Options of Node.js whose value may be a separate argument (`doc/node.1`).
const NODE_VALUES: [&str; 19] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--title",
    "--env-file",
    "--env-file-if-exists",
    "--icu-data-dir",
    "--openssl-config",
    "--tls-cipher-list",
    "--redirect-warnings",
    "--report-dir",
    "--report-directory",
    "--diagnostic-dir",
    "--unhandled-rejections",
    "--dns-result-order",
];
/// Options of Node.js and V8 without a separate value. Those that begin with `--no-` have none either.
const NODE_FLAGS: [&str; 17] = [
    "--abort-on-uncaught-exception",
    "--enable-source-maps",
    "--experimental-strip-types",
    "--experimental-vm-modules",
    "--expose-gc",
    "--inspect",
    "--inspect-brk",
    "--interpreted-frames-native-stack",
    "--perf-basic-prof",
    "--perf-basic-prof-only-functions",
    "--preserve-symlinks",
    "--preserve-symlinks-main",
    "--throw-deprecation",
    "--trace-deprecation",
    "--trace-uncaught",
    "--trace-warnings",
    "--watch",
];

/// Options of Java whose value is a separate argument (`src/java.base/share/native/libjli`).
const JAVA_VALUES: [&str; 13] = [
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--limit-modules",
    "--patch-module",
    "--enable-native-access",
];
/// Prefixes of options of Java without a separate value.
const JAVA_FLAGS: [&str; 14] = [
    "-D",
    "-X",
    "-agentlib:",
    "-agentpath:",
    "-javaagent:",
    "-splash:",
    "-verbose",
    "-ea",
    "-da",
    "-esa",
    "-dsa",
    "-server",
    "-showversion",
    "--enable-preview",
];

impl Interpreter {
    /// The interpreter whose executable has this file name, with or without a version: `python3.11`.
    pub(super) fn of(file_name: &str) -> Option<Self> {
        let end = file_name.find(|letter: char| letter.is_ascii_digit());
        Some(match file_name.get(..end.unwrap_or(file_name.len()))? {
            "python" | "pypy" => Self::Python,
            "node" | "nodejs" => Self::Node,
            "ruby" => Self::Ruby,
            "perl" => Self::Perl,
            "php" => Self::Php,
            "java" => Self::Java,
            "sh" | "bash" | "dash" | "ksh" | "zsh" => Self::Shell,
            _ => return None,
        })
    }

    /// The meaning of an argument that precedes the program.
    pub(super) fn meaning(self, argument: &str) -> Meaning<'_> {
        let is_option =
            argument.starts_with('-') || self == Self::Shell && argument.starts_with('+');
        if !is_option {
            return match (self, argument) {
                // An argument file, and the debugger.
                (Self::Java, file) if file.starts_with('@') => Unknown,
                (Self::Node, "inspect") => Unknown,
                _ => Program,
            };
        }
        match self {
            Self::Python => match argument {
                "--" => ProgramFollows,
                "--check-hash-based-pycs" => ValueFollows,
                _ => PYTHON.meaning(argument),
            },
            Self::Ruby => match argument {
                "--" => ProgramFollows,
                "--yjit" | "--jit" | "--disable-gems" => Flag,
                _ if argument.starts_with("--") && argument.contains('=') => Flag,
                _ => RUBY.meaning(argument),
            },
            Self::Perl => match argument {
                "--" => ProgramFollows,
                _ => PERL.meaning(argument),
            },
            Self::Php => PHP.meaning(argument),
            Self::Shell => match argument {
                "--" => ProgramFollows,
                "--rcfile" | "--init-file" => ValueFollows,
                "--login" | "--noprofile" | "--norc" | "--posix" => Flag,
                _ => SHELL.meaning(argument),
            },
            Self::Node => node(argument),
            Self::Java => java(argument),
        }
    }
}

impl Letters {
    fn meaning<'a>(&self, argument: &'a str) -> Meaning<'a> {
        let letters = argument.strip_prefix(['-', '+']).unwrap_or_default();
        if letters.is_empty() {
            // `-`: the code comes from stdin.
            return Unknown;
        }
        let mut rest = letters.chars();
        while let Some(letter) = rest.next() {
            let is_in = |letters: &str| letters.contains(letter);
            let after = rest.as_str();
            if is_in(self.digits) {
                rest = after.trim_start_matches(|digit: char| digit.is_ascii_digit()).chars();
            } else if !is_in(self.flags) {
                return match after {
                    "" if is_in(self.values) || is_in(self.next) => ValueFollows,
                    "" if is_in(self.program) => ProgramFollows,
                    program if is_in(self.program) => ProgramIs(program),
                    _ if is_in(self.values) || is_in(self.rest) => Flag,
                    _ => Unknown,
                };
            }
        }
        Flag
    }
}

fn node(argument: &str) -> Meaning<'_> {
    match argument {
        "--" => ProgramFollows,
        _ if NODE_VALUES.contains(&argument) => ValueFollows,
        _ if NODE_FLAGS.contains(&argument) || argument.starts_with("--no-") => Flag,
        _ if is_eval(argument) => Unknown,
        _ if argument.starts_with("--") && argument.contains('=') => Flag,
        _ => Unknown,
    }
}

/// Whether the argument contains code or names a script of `package.json`.
fn is_eval(argument: &str) -> bool {
    ["--eval=", "--print=", "--run="].iter().any(|name| argument.starts_with(name))
}

fn java(argument: &str) -> Meaning<'_> {
    match argument {
        "-jar" | "-m" | "--module" => ProgramFollows,
        _ if JAVA_VALUES.contains(&argument) => ValueFollows,
        _ if JAVA_FLAGS.iter().any(|beginning| argument.starts_with(beginning)) => Flag,
        _ => match argument.split_once('=') {
            Some(("--module", program)) => ProgramIs(program),
            Some((name, _)) if name.starts_with("--") => Flag,
            _ => Unknown,
        },
    }
}
