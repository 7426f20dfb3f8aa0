//! A case of the corpus, as described in `tracer/tests/corpus/cases/*.toml`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::label::Label;
use super::need::{GoToolchain, Need};
use super::server::ServerName;

/// A program and its label: what tracer must report about it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// Unique among all cases.
    pub(crate) name: String,
    /// What the program does, in one sentence.
    pub(crate) what: String,
    /// What must be installed.
    #[serde(default)]
    pub(crate) needs: Vec<Need>,
    /// The Go toolchains to run the case with, if it needs Go.
    #[serde(default)]
    go: Vec<GoToolchain>,
    /// Whether the case is part of the reduced set, which CI runs.
    #[serde(default)]
    pub(crate) reduced: bool,
    /// The command line, with placeholders.
    pub(crate) program: Vec<String>,
    /// The servers. The case runs once against each; without servers, it has a peer of its own.
    #[serde(default)]
    pub(crate) servers: Vec<ServerName>,
    /// The label; [`Label::resolve`] reads it for one server.
    #[serde(default)]
    pub(crate) expect: toml::Table,
}

impl Case {
    /// The Go toolchains to run the case with; none if it does not need Go.
    pub(crate) fn go_toolchains(&self, reduced: bool) -> Vec<GoToolchain> {
        if !self.needs.contains(&Need::Go) {
            Vec::new()
        } else if reduced {
            // CI does not download a toolchain.
            vec![GoToolchain::Debian]
        } else if self.go.is_empty() {
            vec![GoToolchain::Newest]
        } else {
            self.go.clone()
        }
    }

    /// Checks that the case can be run and judged.
    fn check(&self) -> Result<()> {
        ensure!(!self.name.is_empty(), "a case has no name");
        let usual = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        ensure!(self.name.chars().all(usual), "the name `{}` is not a file name", self.name);
        let is_sentence = self.what.ends_with('.') && self.what.split_whitespace().count() > 2;
        ensure!(is_sentence, "{}: `what` is not a sentence", self.name);
        ensure!(!self.program.is_empty(), "{}: no program", self.name);
        let reachable = ["{server}", "{tls}", "{ca}"];
        let mentioned =
            self.program.iter().any(|word| reachable.iter().any(|name| word.contains(name)));
        ensure!(
            mentioned != self.servers.is_empty(),
            "{}: `servers` is for programs that mention a server, and required for them",
            self.name
        );
        if self.servers.is_empty() {
            Label::resolve(&self.expect, None).map(|_| ())
        } else {
            self.servers
                .iter()
                .try_for_each(|&server| Label::resolve(&self.expect, Some(server)).map(|_| ()))
        }
        .with_context(|| format!("the label of {}", self.name))
    }
}

/// Every case of the directory, in the order of file names.
///
/// # Errors
/// If a file cannot be read or is not in this format, or if a name appears twice.
pub(crate) fn load(directory: &Path) -> Result<Vec<Case>> {
    let listing =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut paths = Vec::new();
    for entry in listing {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        cases.extend(parse(&text).with_context(|| format!("in {}", path.display()))?);
    }
    let mut names = BTreeSet::new();
    for case in &cases {
        if !names.insert(&case.name) {
            bail!("two cases have the name {}", case.name);
        }
    }
    Ok(cases)
}

/// The cases of one file.
fn parse(text: &str) -> Result<Vec<Case>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        case: Vec<Case>,
    }
    let file: File = toml::from_str(text)?;
    file.case.iter().try_for_each(Case::check)?;
    Ok(file.case)
}

#[cfg(test)]
mod tests {
    use super::{Case, GoToolchain, load, parse};
    use crate::workspace;

    const CASE: &str = r#"
        [[case]]
        name = "go-unread"
        what = "A client forgets the body."
        needs = ["go"]
        program = ["{bin}/client", "unread", "{server}"]
        servers = ["keep", "close5"]
        [case.expect]
        verdicts = ["abandoned"]
    "#;

    fn refusal(text: &str) -> String {
        format!("{:#}", parse(text).expect_err("it is wrong"))
    }

    #[test]
    fn reads_a_case() {
        let cases = parse(CASE).unwrap();
        let [case] = cases.as_slice() else { panic!("one case") };
        assert_eq!(case.name, "go-unread");
        assert_eq!(case.go_toolchains(false), [GoToolchain::Newest]);
        assert_eq!(case.go_toolchains(true), [GoToolchain::Debian]);
    }

    #[test]
    fn rejects_mistakes() {
        assert!(refusal(&CASE.replace("needs", "need")).contains("need"));
        assert!(refusal(&CASE.replace("body.", "body")).contains("not a sentence"));
        assert!(
            refusal(&CASE.replace("A client forgets the body.", "Leaking."))
                .contains("not a sentence")
        );
        assert!(refusal(&CASE.replace(", \"{server}\"", "")).contains("mention a server"));
        assert!(refusal(&CASE.replace("\"keep\"", "\"kept\"")).contains("kept"));
        assert!(refusal(&CASE.replace("[\"go\"]", "[\"perl\"]")).contains("perl"));
        assert!(refusal(&CASE.replace("abandoned", "abondoned")).contains("abondoned"));
    }

    #[test]
    fn every_case_of_the_corpus_can_be_run_and_judged() {
        let cases = load(&workspace::root().join("tracer/tests/corpus/cases")).unwrap();
        assert!(cases.iter().any(|case| case.reduced), "there is a reduced set");
        assert!(cases.iter().any(|case| case.expect.is_empty()), "there are healthy cases");
        let reduced = cases.iter().filter(|case| case.reduced);
        for case in reduced {
            assert!(case.runs_without_installing(), "{} is in the reduced set", case.name);
        }
    }

    impl Case {
        fn runs_without_installing(&self) -> bool {
            use super::Need;
            let usual = [Need::Go, Need::Python, Need::Netns, Need::Cgroup, Need::Root];
            self.needs.iter().all(|need| usual.contains(need))
        }
    }
}
