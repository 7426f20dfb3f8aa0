//! All programs of a run: their preparation, start, one after the other, and end.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::label::Label;
use super::outcome::Outcome;
use super::pace::Pace;
use super::program::{self, Program};
use super::runtime::{self, Runtimes, Tools, packages};
use super::server::{Server, ServerName};
use super::session;
use super::trial::Trial;

/// Pause between two starts, so that programs keep their pace of leaking on a host with two CPUs.
const PAUSE: Duration = Duration::from_millis(250);
/// The same after a program that needs CPU time to start, such as a database.
const LONG_PAUSE: Duration = Duration::from_millis(1_500);

/// The servers, the programs, and the directory for their files.
pub(crate) struct Programs {
    servers: Vec<Server>,
    entries: Vec<Entry>,
    directory: PathBuf,
    pace: Pace,
}

/// One program of the run.
struct Entry {
    name: String,
    label: Label,
    /// Whether the program uses a second or more of CPU time to start.
    is_slow: bool,
    state: State,
    /// Every process that has belonged to the program.
    processes: BTreeSet<u32>,
}

/// The state of a program.
enum State {
    Prepared {
        command: Box<Command>,
        work: PathBuf,
    },
    Running(Box<Program>),
    /// The program is a server of the corpus.
    Serving,
    Done(Outcome),
}

/// A program at the end of the run.
pub(crate) struct Ended {
    pub(crate) name: String,
    /// The label and the processes, or the outcome if there is nothing to compare.
    pub(crate) result: Result<(Label, BTreeSet<u32>), Outcome>,
}

impl Programs {
    /// Installs and builds what the runs require, and starts the servers.
    ///
    /// # Errors
    /// If a program does not build, or a server does not start.
    pub(crate) fn prepare(trials: Vec<Trial>, pace: &Pace, may_install: bool) -> Result<Self> {
        let mut runtimes = Runtimes::new(may_install)?;
        let directory = env::temp_dir().join(format!("tracer-corpus-{}", process::id()));
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let mut programs =
            Self { servers: Vec::new(), entries: Vec::new(), directory, pace: *pace };
        let missing = programs.start_servers(&trials, &mut runtimes)?;
        for (index, trial) in trials.into_iter().enumerate() {
            let tools = match (&missing, trial.server) {
                (Some(missing), Some(_)) => Err(missing.clone()),
                _ => runtimes.of(&trial.case, trial.go)?,
            };
            let entry = programs.prepare_entry(index, &trial, tools)?;
            programs.entries.push(entry);
        }
        Ok(programs)
    }

    /// Starts the servers that runs use. Returns what is missing if they cannot be built.
    fn start_servers(
        &mut self,
        trials: &[Trial],
        runtimes: &mut Runtimes,
    ) -> Result<Option<String>> {
        for name in ServerName::ALL {
            if !trials.iter().any(|trial| trial.server == Some(name)) {
                continue;
            }
            let program = match runtimes.server()? {
                Ok(program) => program,
                Err(missing) => return Ok(Some(missing)),
            };
            let server = Server::start(&program, name, &self.directory, &self.pace)?;
            self.entries.push(Entry {
                name: format!("the server of the corpus, {}", name.word()),
                label: Label::Healthy { info: Vec::new() },
                is_slow: false,
                state: State::Serving,
                processes: BTreeSet::from([server.pid()]),
            });
            self.servers.push(server);
        }
        Ok(None)
    }

    fn prepare_entry(
        &self,
        index: usize,
        trial: &Trial,
        tools: Result<Tools, String>,
    ) -> Result<Entry> {
        let version = tools.as_ref().ok().and_then(|tools| tools.version.clone());
        let name = trial.name(version.as_deref());
        let state = match tools {
            Ok(tools) => {
                let work = self.directory.join(format!("{index}-{}", trial.case.name));
                let command = self.command(trial, &tools, &work).context(name.clone())?;
                State::Prepared { command: Box::new(command), work }
            }
            Err(missing) => State::Done(Outcome::Skipped(missing)),
        };
        Ok(Entry {
            name,
            label: Label::resolve(&trial.case.expect, trial.server)?,
            is_slow: trial.case.needs.iter().any(|need| need.starts_slowly()),
            state,
            processes: BTreeSet::new(),
        })
    }

    fn command(&self, trial: &Trial, tools: &Tools, work: &std::path::Path) -> Result<Command> {
        let text = |path: &std::path::Path| path.display().to_string();
        let mut placeholders: BTreeMap<&str, String> =
            tools.placeholders.iter().map(|(name, path)| (*name, text(path))).collect();
        placeholders.insert("corpus", text(&runtime::corpus()));
        placeholders.insert("work", text(work));
        let server = self.servers.iter().find(|server| Some(server.name) == trial.server);
        if let Some(server) = server {
            placeholders.insert("server", server.plain.clone());
            placeholders.insert("tls", server.tls.clone());
            placeholders.insert("ca", text(&server.ca));
        }
        let (program, arguments) = trial.case.program.split_first().context("no program")?;
        let mut command = Command::new(program::fill_in(&placeholders, program)?);
        for argument in arguments {
            command.arg(program::fill_in(&placeholders, argument)?);
        }
        command.env("PATH", packages::search_path()).envs(&tools.environment);
        self.pace.set_environment(&mut command);
        Ok(command)
    }

    /// Checks that the servers are still running.
    ///
    /// # Errors
    /// If one has exited.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.servers.iter_mut().try_for_each(Server::check)
    }

    /// Starts every program and waits until each is ready or has failed.
    ///
    /// # Errors
    /// If a directory cannot be created, or a server has exited.
    pub(crate) fn start_all(&mut self) -> Result<()> {
        self.check()?;
        for entry in &mut self.entries {
            if entry.start()? {
                thread::sleep(if entry.is_slow { LONG_PAUSE } else { PAUSE });
            }
        }
        let deadline = Instant::now() + self.pace.ready_max();
        loop {
            let late = Instant::now() > deadline;
            let waiting = self.entries.iter_mut().filter_map(|entry| entry.poll(late)).count();
            if waiting == 0 {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether one of the servers closes idle connections.
    pub(crate) fn has_dying(&self) -> bool {
        self.servers.iter().any(|server| server.name == ServerName::Close5)
    }

    /// The number of programs, including servers.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of running programs.
    pub(crate) fn running(&self) -> usize {
        let runs = |entry: &&Entry| matches!(entry.state, State::Running(_) | State::Serving);
        self.entries.iter().filter(runs).count()
    }

    /// Adds the current processes of each program to the earlier ones.
    pub(crate) fn note_processes(&mut self) {
        let sessions = session::all();
        for entry in &mut self.entries {
            if let State::Running(program) = &entry.state {
                entry.processes.extend(program.processes(&sessions));
            }
        }
    }

    /// Every process of every program.
    pub(crate) fn processes(&self) -> BTreeSet<u32> {
        self.entries.iter().flat_map(|entry| &entry.processes).copied().collect()
    }

    /// Ends all programs. One that has already exited counts as broken.
    pub(crate) fn end(mut self) -> Vec<Ended> {
        for entry in &mut self.entries {
            entry.poll(false);
        }
        for entry in &mut self.entries {
            if let State::Running(program) = &mut entry.state {
                program.close_input();
            }
        }
        let closed = Instant::now();
        let mut ended = Vec::new();
        for mut entry in std::mem::take(&mut self.entries) {
            if let State::Running(program) = &mut entry.state
                && let Err(error) = program.finish(closed)
            {
                entry.state = State::Done(Outcome::Broken(format!("{error:#}")));
            }
            let result = match entry.state {
                State::Running(_) | State::Serving => Ok((entry.label, entry.processes)),
                State::Done(outcome) => Err(outcome),
                State::Prepared { .. } => Err(Outcome::Broken("it was not started".to_owned())),
            };
            ended.push(Ended { name: entry.name, result });
        }
        ended
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        // If this fails, the directory stays in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Entry {
    /// Starts the program if it is prepared, and returns whether it was.
    fn start(&mut self) -> Result<bool> {
        let State::Prepared { command, work } = &mut self.state else { return Ok(false) };
        fs::create_dir_all(&*work).with_context(|| format!("cannot create {}", work.display()))?;
        self.state = match Program::start(command, work) {
            Ok(program) => State::Running(Box::new(program)),
            Err(error) => State::Done(Outcome::Broken(format!("{error:#}"))),
        };
        Ok(true)
    }

    /// Reads the program's output; `Some` as long as it is not ready.
    fn poll(&mut self, late: bool) -> Option<()> {
        let State::Running(program) = &mut self.state else { return None };
        let broken = match program.poll() {
            Ok(true) => {
                self.label = self.label.clone().with_number(program.count);
                return None;
            }
            Ok(false) if !late => return Some(()),
            Ok(false) => format!("it did not become ready; {}", program.stderr_tail()),
            Err(error) => format!("{error:#}"),
        };
        self.state = State::Done(Outcome::Broken(broken));
        None
    }
}
