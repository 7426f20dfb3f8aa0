//! Which frames are the application's: rules as data, `frames.txt`, which says how they are
//! written. Of the rules that fit a frame the first holds; a frame that none fits is the
//! application's.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, Result, bail};

use super::{
    frame::{Frame, Language, base_name},
    pattern::matches,
};

/// The rules that hold everywhere.
const BUILT_IN: &str = include_str!("frames.txt");
/// Most bytes of a file of rules.
const FILE_MAX: u64 = 1 << 20;

/// In order of precedence.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

/// What a frame is to somebody who looks for the application's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The application's.
    Application,
    /// Not the application's; the application's is further out.
    Library,
    /// As a library, of which the functions jump to where others call: who was called there need
    /// not have set up a frame.
    Engine,
    /// Here something is run that was put off: who called it did not ask for what it does.
    Loop,
    /// It stands for a function that cannot be told, and may be the application's.
    Hidden,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    kind: Kind,
    /// `None`: any.
    language: Option<Language>,
    /// All of them must fit.
    conditions: Vec<(Part, String)>,
    /// Why no frame of the application is found, if such a frame was there.
    explanation: Option<String>,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Function,
    File,
    Module,
    Package,
}

/// What the rules say of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling<'a> {
    /// What the frame is.
    pub kind: Kind,
    /// Why no frame of the application is found, if such a frame was there.
    pub explanation: Option<&'a str>,
}

impl Rules {
    /// The rules that hold everywhere, behind those of a file if there is one.
    ///
    /// # Errors
    /// One line that names the file, the line in it and what is expected.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        let mut rules = match path {
            Some(path) => Self::of_file(path)?.0,
            None => Vec::new(),
        };
        rules.extend(Self::parse(BUILT_IN)?.0);
        Ok(Self(rules))
    }

    fn of_file(path: &Path) -> Result<Self> {
        let name = path.display();
        let file = File::open(path).with_context(|| format!("--call-sites {name}"))?;
        let mut text = String::new();
        let length = file.take(FILE_MAX + 1).read_to_string(&mut text);
        if length.with_context(|| format!("--call-sites {name}"))? as u64 > FILE_MAX {
            bail!(
                "--call-sites {name}: it has more than {FILE_MAX} bytes: that is no list of rules"
            );
        }
        Self::parse(&text).with_context(|| format!("--call-sites {name}"))
    }

    /// The rules of a text, one a line.
    ///
    /// # Errors
    /// One line that names the line in it and what is expected.
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

    /// What the first rule that fits a frame says of it.
    pub fn judge(&self, frame: &Frame) -> Ruling<'_> {
        let rule = self.0.iter().find(|rule| rule.fits(frame));
        rule.map_or(Ruling { kind: Kind::Application, explanation: None }, Rule::ruling)
    }

    /// What holds for all functions of a module, whatever they are called. `None`: that depends on
    /// them.
    pub fn judge_module(&self, path: &str) -> Option<Ruling<'_>> {
        let may_fit = |rule: &&Rule| {
            let modules = rule.conditions.iter().filter(|(part, _)| *part == Part::Module);
            matches!(rule.language, None | Some(Language::Native | Language::Rust))
                && modules.fold(true, |fits, (_, pattern)| fits && is_module(path, pattern))
        };
        let rule = self.0.iter().find(may_fit)?;
        matches!(&*rule.conditions, [(Part::Module, _)]).then(|| rule.ruling())
    }
}

impl Rule {
    /// `library package net/http`, `loop module libuv.so* function uv_run -- explanation`.
    fn parse(line: &str, language: Option<Language>) -> Result<Self> {
        let (line, explanation) = line
            .split_once(" -- ")
            .map_or((line, None), |(line, text)| (line, Some(text.trim().to_owned())));
        let mut parts = line.split_whitespace();
        let kind = match parts.next().unwrap_or_default() {
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
        while let Some(word) = parts.next() {
            let part = match word {
                "function" => Part::Function,
                "file" => Part::File,
                "module" => Part::Module,
                "package" if language.is_some() => Part::Package,
                "package" => bail!("a package needs a language: put the line below one, as [go]"),
                other => bail!("expected function, file, module or package, not {other:?}"),
            };
            let pattern = parts.next().with_context(|| format!("{word} of what? give a name"))?;
            conditions.push((part, pattern.to_owned()));
        }
        if conditions.is_empty() {
            bail!("of what? give a function, a file, a module or a package");
        }
        Ok(Self { kind, language, conditions, explanation })
    }

    fn fits(&self, frame: &Frame) -> bool {
        self.language.is_none_or(|language| language == frame.language)
            && self.conditions.iter().all(|(part, pattern)| match part {
                Part::Function => matches(pattern, &frame.function),
                Part::File => matches(pattern, &frame.file),
                Part::Module => is_module(&frame.module, pattern),
                Part::Package => frame.is_of_package(pattern),
            })
    }

    fn ruling(&self) -> Ruling<'_> {
        Ruling { kind: self.kind, explanation: self.explanation.as_deref() }
    }
}

/// The language that the rules below a line such as `[go]` are about; `None`: any.
fn parse_section(name: &str) -> Result<Option<Language>> {
    if name == "any" {
        return Ok(None);
    }
    let language = Language::named(name);
    let expected = "expected [any], [go], [rust], [native], [python], [node] or [java]";
    Ok(Some(language.context(expected)?))
}

/// A pattern without a slash is about the name of the file only.
fn is_module(path: &str, pattern: &str) -> bool {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    matches(pattern, if pattern.contains('/') { path } else { base_name(path) })
}

#[cfg(test)]
mod tests;
