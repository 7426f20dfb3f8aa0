//! Rules that classify frames, as data in `frames.txt`, which also documents the syntax. The first
//! rule that matches a frame applies; a frame that no rule matches belongs to the application.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, Result, bail};

use super::{
    frame::{Frame, Language, base_name},
    pattern::matches,
};

/// The built-in rules.
const BUILT_IN: &str = include_str!("frames.txt");
/// Maximum size of a rule file in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Frame rules, in order of precedence.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

/// What a frame means in the search for the application's call site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The frame belongs to the application.
    Application,
    /// The frame belongs to a library; the application's frame is further out.
    Library,
    /// The frame is treated like one of a library. It belongs to a runtime that jumps into
    /// JIT-compiled code, so that its frames need not follow a call instruction.
    Engine,
    /// The frame runs deferred work, such as an event loop. Its callers did not cause the call.
    Loop,
    /// The frame represents a function that cannot be identified and may belong to the application.
    Hidden,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    kind: Kind,
    /// `None`: any language.
    language: Option<Language>,
    /// All must match.
    conditions: Vec<(Attribute, String)>,
    /// Why there is no call site, if no frame of the application is found.
    explanation: Option<String>,
}

/// The attribute of a frame that a condition tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Function,
    File,
    Module,
    Package,
}

/// The result of the first rule that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling<'a> {
    /// The kind of the frame.
    pub kind: Kind,
    /// Why there is no call site, if no frame of the application is found.
    pub explanation: Option<&'a str>,
}

impl Rules {
    /// The built-in rules, preceded by those of a file (`--call-sites`) if there is one.
    ///
    /// # Errors
    /// The file cannot be read or a rule is malformed; the message names the file and the line.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        Self::with_user_rules(&Self::user_rules(path)?)
    }

    /// The text of the user's rules, which has been checked; empty if there is no file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn user_rules(path: Option<&Path>) -> Result<String> {
        let Some(path) = path else { return Ok(String::new()) };
        let name = path.display();
        let file = File::open(path).with_context(|| format!("--call-sites {name}"))?;
        let mut text = String::new();
        let length = file.take(FILE_MAX + 1).read_to_string(&mut text);
        if length.with_context(|| format!("--call-sites {name}"))? as u64 > FILE_MAX {
            bail!("--call-sites {name}: the file is larger than {FILE_MAX} bytes");
        }
        Self::parse(&text).with_context(|| format!("--call-sites {name}"))?;
        Ok(text)
    }

    /// The built-in rules, preceded by the rules in `text`.
    ///
    /// # Errors
    /// A rule is malformed.
    pub fn with_user_rules(text: &str) -> Result<Self> {
        let mut rules = Self::parse(text)?.0;
        rules.extend(Self::parse(BUILT_IN)?.0);
        Ok(Self(rules))
    }

    /// Parses rules, one per line.
    ///
    /// # Errors
    /// A rule is malformed; the message names the line and what is expected.
    pub fn parse(text: &str) -> Result<Self> {
        let mut rules = Vec::new();
        let mut language = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split_once('#').map_or(line, |(before, _)| before).trim();
            if line.is_empty() {
                continue;
            }
            let section = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
            let parsed = match section {
                Some(name) => parse_section(name).map(|it| language = it),
                None => Rule::parse(line, language).map(|rule| rules.push(rule)),
            };
            parsed.with_context(|| format!("line {number}"))?;
        }
        Ok(Self(rules))
    }

    /// Classifies a frame.
    pub fn classify(&self, frame: &Frame) -> Ruling<'_> {
        let rule = self.0.iter().find(|rule| rule.matches(frame));
        rule.map_or(Ruling { kind: Kind::Application, explanation: None }, Rule::ruling)
    }

    /// The ruling for all functions of a module, whatever their names; `None` if it depends on the
    /// function.
    pub fn classify_module(&self, path: &str) -> Option<Ruling<'_>> {
        let may_match = |rule: &&Rule| {
            let modules =
                rule.conditions.iter().filter(|(attribute, _)| *attribute == Attribute::Module);
            matches!(rule.language, None | Some(Language::Native | Language::Rust))
                && modules.fold(true, |matched, (_, pattern)| matched && is_module(path, pattern))
        };
        let rule = self.0.iter().find(may_match)?;
        matches!(&*rule.conditions, [(Attribute::Module, _)]).then(|| rule.ruling())
    }
}

impl Rule {
    /// Parses a line such as `library package net/http` or
    /// `loop module libuv.so* function uv_run -- explanation`.
    fn parse(line: &str, language: Option<Language>) -> Result<Self> {
        let (line, explanation) = line
            .split_once(" -- ")
            .map_or((line, None), |(line, text)| (line, Some(text.trim().to_owned())));
        let mut words = line.split_whitespace();
        let kind = match words.next().unwrap_or_default() {
            "application" => Kind::Application,
            "library" => Kind::Library,
            "engine" => Kind::Engine,
            "loop" => Kind::Loop,
            "hidden" => Kind::Hidden,
            other => {
                bail!("expected application, library, engine, loop or hidden, not {other:?}")
            }
        };
        let mut conditions = Vec::new();
        while let Some(word) = words.next() {
            let attribute = match word {
                "function" => Attribute::Function,
                "file" => Attribute::File,
                "module" => Attribute::Module,
                "package" if language.is_some() => Attribute::Package,
                "package" => {
                    bail!("a package rule requires a language: move it below a line such as [go]")
                }
                other => bail!("expected function, file, module or package, not {other:?}"),
            };
            let pattern = words.next().with_context(|| format!("{word}: the name is missing"))?;
            conditions.push((attribute, pattern.to_owned()));
        }
        if conditions.is_empty() {
            bail!("the condition is missing: function, file, module or package, and a name");
        }
        Ok(Self { kind, language, conditions, explanation })
    }

    fn matches(&self, frame: &Frame) -> bool {
        self.language.is_none_or(|language| language == frame.language)
            && self.conditions.iter().all(|(attribute, pattern)| match attribute {
                Attribute::Function => matches(pattern, &frame.function),
                Attribute::File => matches(pattern, &frame.file),
                Attribute::Module => is_module(&frame.module, pattern),
                Attribute::Package => frame.is_of_package(pattern),
            })
    }

    fn ruling(&self) -> Ruling<'_> {
        Ruling { kind: self.kind, explanation: self.explanation.as_deref() }
    }
}

/// The language of the rules below a line such as `[go]`; `None` means any language.
fn parse_section(name: &str) -> Result<Option<Language>> {
    if name == "any" {
        return Ok(None);
    }
    let language = Language::named(name);
    let expected = "expected [any], [go], [rust], [native], [python], [node] or [java]";
    Ok(Some(language.context(expected)?))
}

/// Whether a module matches; a pattern without a slash is matched against the file name only.
fn is_module(path: &str, pattern: &str) -> bool {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    matches(pattern, if pattern.contains('/') { path } else { base_name(path) })
}

#[cfg(test)]
mod tests;
