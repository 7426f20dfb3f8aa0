//! All programs of a run: prepared, started one after the other, looked at and ended.

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

/// Pause between two starts: two processors, and everything is to leak at its pace.
const PAUSE: Duration = Duration::from_millis(250);
/// The same before a virtual machine or a database, which takes a processor for a while.
const LONG_PAUSE: Duration = Duration::from_millis(1_500);

/// The servers, the programs, and the directory that both use.
pub(crate) struct Stage {
    servers: Vec<Server>,
    roles: Vec<Role>,
    directory: PathBuf,
    pace: Pace,
}

/// One program of the run.
struct Role {
    name: String,
    label: Label,
    /// It takes a processor for a while to start.
    is_slow: bool,
    act: Act,
    /// Every process that belonged to it at some look.
    processes: BTreeSet<u32>,
}

/// How far a program is.
enum Act {
    Prepared {
        command: Box<Command>,
        work: PathBuf,
    },
    Running(Box<Program>),
    /// A server of the corpus, which is a healthy program.
    Serving,
    Over(Outcome),
}

/// A program that was there to the end, or why it was not.
pub(crate) struct Ended {
    pub(crate) name: String,
    pub(crate) part: Result<(Label, BTreeSet<u32>), Outcome>,
}

impl Stage {
    /// Installs and builds what the runs need, and starts the servers.
    ///
    /// # Errors
    /// If a program does not build, or a server does not start.
    pub(crate) fn prepare(trials: Vec<Trial>, pace: &Pace, may_install: bool) -> Result<Self> {
        let mut runtimes = Runtimes::new(may_install)?;
        let directory = env::temp_dir().join(format!("tracer-corpus-{}", process::id()));
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let mut stage = Self { servers: Vec::new(), roles: Vec::new(), directory, pace: *pace };
        let lack = stage.start_servers(&trials, &mut runtimes)?;
        for (index, trial) in trials.into_iter().enumerate() {
            let tools = match (&lack, trial.server) {
                (Some(lack), Some(_)) => Err(lack.clone()),
                _ => runtimes.of(&trial.case, trial.go)?,
            };
            let role = stage.role(index, &trial, tools)?;
            stage.roles.push(role);
        }
        Ok(stage)
    }

    /// Starts the servers that a run asks for; why not, if they cannot be built here.
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
                Err(lack) => return Ok(Some(lack)),
            };
            let server = Server::start(&program, name, &self.directory, &self.pace)?;
            self.roles.push(Role {
                name: format!("the server of the corpus, {}", name.word()),
                label: Label::Healthy { info: Vec::new() },
                is_slow: false,
                act: Act::Serving,
                processes: BTreeSet::from([server.pid()]),
            });
            self.servers.push(server);
        }
        Ok(None)
    }

    fn role(&self, index: usize, trial: &Trial, tools: Result<Tools, String>) -> Result<Role> {
        let version = tools.as_ref().ok().and_then(|tools| tools.version.clone());
        let name = trial.name(version.as_deref());
        let act = match tools {
            Ok(tools) => {
                let work = self.directory.join(format!("{index}-{}", trial.case.name));
                let command = self.command(trial, &tools, &work).context(name.clone())?;
                Act::Prepared { command: Box::new(command), work }
            }
            Err(lack) => Act::Over(Outcome::Skipped(lack)),
        };
        Ok(Role {
            name,
            label: Label::resolve(&trial.case.expect, trial.server)?,
            is_slow: trial.case.needs.iter().any(|need| need.starts_slowly()),
            act,
            processes: BTreeSet::new(),
        })
    }

    fn command(&self, trial: &Trial, tools: &Tools, work: &std::path::Path) -> Result<Command> {
        let text = |path: &std::path::Path| path.display().to_string();
        let mut words: BTreeMap<&str, String> =
            tools.words.iter().map(|(word, path)| (*word, text(path))).collect();
        words.insert("corpus", text(&runtime::corpus()));
        words.insert("work", text(work));
        let server = self.servers.iter().find(|server| Some(server.name) == trial.server);
        if let Some(server) = server {
            words.insert("server", server.plain.clone());
            words.insert("tls", server.tls.clone());
            words.insert("ca", text(&server.ca));
        }
        let (program, arguments) =
            trial.case.program.split_first().context("there is no program")?;
        let mut command = Command::new(program::fill_in(&words, program)?);
        for argument in arguments {
            command.arg(program::fill_in(&words, argument)?);
        }
        command.env("PATH", packages::search_path()).envs(&tools.environment);
        self.pace.tell(&mut command);
        Ok(command)
    }

    /// Whether the servers still serve.
    ///
    /// # Errors
    /// If one does not.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.servers.iter_mut().try_for_each(Server::check)
    }

    /// Starts every program and waits until each is ready, or will not be.
    ///
    /// # Errors
    /// If a directory cannot be made, or a server has ended.
    pub(crate) fn start_all(&mut self) -> Result<()> {
        self.check()?;
        for role in &mut self.roles {
            if role.start()? {
                thread::sleep(if role.is_slow { LONG_PAUSE } else { PAUSE });
            }
        }
        let deadline = Instant::now() + self.pace.ready_max();
        loop {
            let late = Instant::now() > deadline;
            let waiting = self.roles.iter_mut().filter_map(|role| role.poll(late)).count();
            if waiting == 0 {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether a server closes connections on programs that may not notice.
    pub(crate) fn has_dying(&self) -> bool {
        self.servers.iter().any(|server| server.name == ServerName::Close5)
    }

    /// How many programs there are, the servers included.
    pub(crate) fn len(&self) -> usize {
        self.roles.len()
    }

    /// How many of them run.
    pub(crate) fn running(&self) -> usize {
        let runs = |role: &&Role| matches!(role.act, Act::Running(_) | Act::Serving);
        self.roles.iter().filter(runs).count()
    }

    /// Looks which processes belong to each program; those that are gone stay on the list.
    pub(crate) fn look(&mut self) {
        let sessions = session::all();
        for role in &mut self.roles {
            if let Act::Running(program) = &role.act {
                role.processes.extend(program.processes(&sessions));
            }
        }
    }

    /// Every process of every program.
    pub(crate) fn processes(&self) -> BTreeSet<u32> {
        self.roles.iter().flat_map(|role| &role.processes).copied().collect()
    }

    /// Ends everything; a program that ended before is broken.
    pub(crate) fn end(mut self) -> Vec<Ended> {
        for role in &mut self.roles {
            role.poll(false);
        }
        for role in &mut self.roles {
            if let Act::Running(program) = &mut role.act {
                program.ask_to_end();
            }
        }
        let asked = Instant::now();
        let mut ended = Vec::new();
        for mut role in std::mem::take(&mut self.roles) {
            if let Act::Running(program) = &mut role.act
                && let Err(error) = program.finish(asked)
            {
                role.act = Act::Over(Outcome::Broken(format!("{error:#}")));
            }
            let part = match role.act {
                Act::Running(_) | Act::Serving => Ok((role.label, role.processes)),
                Act::Over(outcome) => Err(outcome),
                Act::Prepared { .. } => Err(Outcome::Broken("it was not started".to_owned())),
            };
            ended.push(Ended { name: role.name, part });
        }
        ended
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It is in the directory for temporary files, where it does no harm if this fails.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Role {
    /// Starts the program, if it is to be started.
    fn start(&mut self) -> Result<bool> {
        let Act::Prepared { command, work } = &mut self.act else { return Ok(false) };
        fs::create_dir_all(&*work).with_context(|| format!("cannot make {}", work.display()))?;
        self.act = match Program::start(command, work) {
            Ok(program) => Act::Running(Box::new(program)),
            Err(error) => Act::Over(Outcome::Broken(format!("{error:#}"))),
        };
        Ok(true)
    }

    /// Takes in what the program said; `Some` while it is to be waited for.
    fn poll(&mut self, late: bool) -> Option<()> {
        let Act::Running(program) = &mut self.act else { return None };
        let broken = match program.poll() {
            Ok(true) => {
                self.label = self.label.clone().told(program.count);
                return None;
            }
            Ok(false) if !late => return Some(()),
            Ok(false) => format!("it did not get ready; {}", program.last_words()),
            Err(error) => format!("{error:#}"),
        };
        self.act = Act::Over(Outcome::Broken(broken));
        None
    }
}
