//! The files of the exhibits.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// Maximum number of healthy exhibits with an accepted finding, in the whole zoo.
const ACCEPTED_MAX: usize = 3;

/// The correct result for an exhibit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing above *possible* at any time.
    Healthy,
    /// Exactly the leaks that the twin itself reports.
    Twin,
}

/// One exhibit, as its file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exhibit {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) file: PathBuf,
    /// The first line of the comment in the exhibit's file.
    pub(crate) what: String,
    /// Debian packages.
    pub(crate) packages: Vec<String>,
    /// Python packages.
    pub(crate) pip: Vec<String>,
    pub(crate) is_reduced: bool,
    pub(crate) is_short: bool,
    /// Whether the exhibit has the function `accept`.
    pub(crate) has_accepted: bool,
}

/// The directory of the exhibits.
pub(crate) fn directory() -> PathBuf {
    workspace::root().join("tracer/tests/zoo")
}

/// All exhibits, healthy ones first.
///
/// # Errors
/// If a file cannot be read or is not in the format.
pub(crate) fn load() -> Result<Vec<Exhibit>> {
    let mut exhibits = Vec::new();
    for (kind, folder) in [(Kind::Healthy, "healthy"), (Kind::Twin, "twins")] {
        let folder = directory().join(folder);
        // A checkout does not contain empty folders.
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        let mut files: Vec<_> =
            paths.filter(|path| path.extension() == Some("sh".as_ref())).collect();
        files.sort();
        for file in files {
            exhibits.push(read(kind, &file)?);
        }
    }
    check(&exhibits)?;
    Ok(exhibits)
}

fn read(kind: Kind, file: &Path) -> Result<Exhibit> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let exhibit = parse(kind, &name, &text).with_context(|| file.display().to_string())?;
    Ok(Exhibit { file: file.to_owned(), ..exhibit })
}

fn parse(kind: Kind, name: &str, text: &str) -> Result<Exhibit> {
    let has = |function: &str| text.lines().any(|line| line.starts_with(&format!("{function}()")));
    let what = text.lines().next().and_then(|line| line.strip_prefix("# "));
    for function in ["start", "load"] {
        ensure!(has(function), "it has no function `{function}`");
    }
    ensure!(has("expect") == (kind == Kind::Twin), "twins, and only they, have `expect`");
    ensure!(kind == Kind::Healthy || !has("accept"), "only healthy exhibits have `accept`");
    Ok(Exhibit {
        name: name.to_owned(),
        kind,
        file: PathBuf::new(),
        what: what.context("its first line is not a comment that says what it is")?.to_owned(),
        packages: words(text, "packages"),
        pip: words(text, "pip"),
        is_reduced: words(text, "reduced") == ["yes"],
        is_short: words(text, "short") == ["yes"],
        has_accepted: has("accept"),
    })
}

/// The words of the assignment to a variable; none if there is no assignment.
fn words(text: &str, variable: &str) -> Vec<String> {
    let assigned = |line: &str| Some(line.strip_prefix(variable)?.strip_prefix('=')?.to_owned());
    let value = text.lines().find_map(assigned).unwrap_or_default();
    let value = value.split('#').next().unwrap_or_default();
    value.trim().trim_matches(['"', '\'']).split_whitespace().map(str::to_owned).collect()
}

fn check(exhibits: &[Exhibit]) -> Result<()> {
    let names: BTreeSet<&str> = exhibits.iter().map(|exhibit| exhibit.name.as_str()).collect();
    ensure!(names.len() == exhibits.len(), "two exhibits have the same name");
    let accepted = exhibits.iter().filter(|exhibit| exhibit.has_accepted).count();
    ensure!(accepted <= ACCEPTED_MAX, "{accepted} exhibits have `accept`; {ACCEPTED_MAX} may");
    Ok(())
}

/// Whether a list of `--only` selects the exhibit.
pub(crate) fn is_selected(only: &[String], name: &str) -> bool {
    only.is_empty()
        || only.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == wanted,
        })
}

#[cfg(test)]
mod tests {
    use super::{Kind, check, is_selected, load, parse};

    const HEALTHY: &str = "# A proxy.\npackages=\"haproxy socat\" # from Debian\nreduced=yes\n\n\
                           start() {\n    packages=none\n}\nload() { :; }\n";

    #[test]
    fn reads_the_header() {
        let exhibit = parse(Kind::Healthy, "proxy", HEALTHY).unwrap();
        assert_eq!(exhibit.what, "A proxy.");
        assert_eq!(exhibit.packages, ["haproxy", "socat"]);
        assert!(exhibit.pip.is_empty());
        assert!(exhibit.is_reduced && !exhibit.is_short && !exhibit.has_accepted);
    }

    #[test]
    fn functions_belong_to_a_kind() {
        assert!(parse(Kind::Twin, "proxy", HEALTHY).is_err());
        let twin = format!("{HEALTHY}expect() {{ :; }}\n");
        assert!(parse(Kind::Twin, "proxy", &twin).is_ok());
        assert!(parse(Kind::Healthy, "proxy", &twin).is_err());
        assert!(parse(Kind::Healthy, "proxy", "# A proxy.\nstart() { :; }\n").is_err());
        assert!(parse(Kind::Healthy, "proxy", "start() { :; }\nload() { :; }\n").is_err());
    }

    #[test]
    fn few_findings_are_accepted() {
        let text = format!("{HEALTHY}accept() {{ :; }}\n");
        let exhibit = |name: &&str| parse(Kind::Healthy, name, &text).unwrap();
        let exhibits: Vec<_> = ["a", "b", "c", "d"].iter().map(exhibit).collect();
        assert!(check(&exhibits).is_err());
        assert!(check(&exhibits[1..]).is_ok());
    }

    #[test]
    fn exhibits_are_selected_by_name() {
        let only = ["squid".to_owned(), "nginx-*".to_owned()];
        assert!(is_selected(&only, "squid") && is_selected(&only, "nginx-sse"));
        assert!(!is_selected(&only, "squid-slow") && !is_selected(&only, "apache"));
        assert!(is_selected(&[], "apache"));
    }

    #[test]
    fn all_files_are_in_the_format() {
        load().unwrap();
    }
}
