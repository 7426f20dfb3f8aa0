//! One round: the exhibits run while the tracers watch.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::exhibit::{Exhibit, Kind};
use super::expectation::{Accepted, Expectation};
use super::outcome::Outcome;
use super::pace::Round;
use super::ports::Ports;
use super::record::{self, Observations, Record};
use super::running::Running;
use super::tracing::{Shared, Tracer, Watch, lock};
use crate::parallel;

/// How many exhibits are started at the same time.
const AT_A_TIME: usize = 4;
/// Interval at which running exhibits and their processes are checked.
const TICK: Duration = Duration::from_millis(500);

/// The results of a round, or of a part of the exhibits in it.
pub(crate) struct Results {
    pub(crate) exhibits: Vec<JudgedExhibit>,
    /// The largest number of sockets at once, including those of the host.
    pub(crate) sockets: u64,
    /// Findings above *possible* about processes outside the zoo.
    pub(crate) others: u64,
    /// How long the tracer watched.
    pub(crate) length: Duration,
    /// The snapshots of the watching tracer.
    pub(crate) snapshots: u64,
}

/// One exhibit in a round.
pub(crate) struct JudgedExhibit {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) processes: usize,
    /// Whether the exhibit had a *possible* finding.
    pub(crate) was_possible: bool,
    pub(crate) outcome: Outcome,
    /// Whether the first run had mistakes, and the exhibit was run again without the others.
    pub(crate) is_second_run: bool,
}

/// The setting of a round.
pub(crate) struct Setting<'a> {
    pub(crate) tracer: &'a Path,
    pub(crate) python: &'a Path,
    /// Whether the tracers observe only the exhibits' processes.
    pub(crate) is_scoped: bool,
    /// The parent of the exhibits' directories.
    pub(crate) scratch: PathBuf,
}

/// An exhibit, and why it is broken if it is.
struct Participant<'a> {
    exhibit: &'a Exhibit,
    running: Mutex<Running>,
    broken: Option<String>,
}

/// Runs the exhibits through one round.
///
/// # Errors
/// If a tracer fails, or an exhibit's directory cannot be made.
pub(crate) fn run(exhibits: &[Exhibit], round: &Round, setting: &Setting<'_>) -> Result<Results> {
    let mut participants = Vec::new();
    let mut ports = Ports::new();
    for exhibit in exhibits {
        let running =
            Running::new(exhibit, ports.assign()?, round, setting.python, &setting.scratch)?;
        participants.push(Participant { exhibit, running: Mutex::new(running), broken: None });
    }
    let supervisors: Vec<u32> =
        participants.iter_mut().map(|it| it.running().supervisor()).collect();
    let scope = setting.is_scoped.then_some(supervisors.as_slice());
    let tracer = Tracer::new(setting.tracer.to_owned(), round, scope);
    let record = Arc::new(Mutex::new(Record::new(supervisors)));
    println!("watching with `{}`", tracer.describe());
    let recording = setting.scratch.join("live.rec");
    let mut watch = Watch::start(tracer.clone(), recording, &record)?;

    let watched = Instant::now();
    begin(&mut participants);
    let began_s = record::now_s();
    let running = participants.iter().filter(|it| it.broken.is_none()).count();
    println!("{running} of {} exhibits run, for {} s", exhibits.len(), round.length.as_secs());
    let began = Instant::now();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let audits = scope.spawn(|| audit_on_schedule(&tracer, &record, round, began, &is_over));
        let _over = SetWhenDropped(&is_over);
        let mut disturbances = round.disturbances().into_iter().peekable();
        while began.elapsed() < round.length || !audits.is_finished() {
            if disturbances.next_if(|time| *time <= began.elapsed()).is_some() {
                participants.iter_mut().for_each(Participant::disturb);
            }
            watch.check()?;
            participants.iter_mut().for_each(Participant::check);
            lock(&record).refresh();
            thread::sleep(TICK);
        }
        audits.join().map_err(|_| anyhow!("a thread panicked"))?
    })?;
    let answers: Vec<_> = participants.iter_mut().map(Participant::answer).collect();
    let length = watched.elapsed();
    watch.stop()?;
    let record = std::mem::take(&mut *lock(&record));
    ensure!(record.snapshots > 0, "the watching tracer took no snapshot");
    if !record.is_complete {
        println!("the view of the watching tracer was incomplete");
    }
    let mut judged = Vec::new();
    for (index, (mut participant, answer)) in participants.into_iter().zip(answers).enumerate() {
        participant.end();
        let observations = &record.exhibits[index];
        judged.push(JudgedExhibit {
            name: participant.exhibit.name.clone(),
            kind: participant.exhibit.kind,
            processes: record.membership.most(index),
            was_possible: observations.was_possible,
            outcome: judge(participant, answer, observations, began_s, round),
            is_second_run: false,
        });
    }
    let Record { sockets, others, snapshots, .. } = record;
    Ok(Results { exhibits: judged, sockets, others, length, snapshots })
}

/// Audits the host at the times of the round. On a busy host, an audit can take longer than the
/// time until the next one, which is then skipped; the last one is never skipped.
fn audit_on_schedule(
    tracer: &Tracer,
    record: &Shared,
    round: &Round,
    began: Instant,
    is_over: &AtomicBool,
) -> Result<()> {
    let mut times = round.audits().into_iter().peekable();
    while let Some(time) = times.next() {
        if times.peek().is_some_and(|next| *next < began.elapsed()) {
            continue;
        }
        while began.elapsed() < time {
            if is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            thread::sleep(TICK);
        }
        tracer.audit(record)?;
    }
    Ok(())
}

/// Ends the audits, even after an error.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls `start` and `load` of all.
fn begin(participants: &mut [Participant<'_>]) {
    let results = parallel::map(participants, AT_A_TIME, |participant| {
        let mut running = participant.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.begin()
    });
    for (participant, result) in participants.iter_mut().zip(results) {
        participant.remember_error(result);
    }
}

/// The correct result according to an exhibit.
enum Answer {
    Healthy(Option<Accepted>),
    Twin(Vec<Expectation>, f64),
}

impl Participant<'_> {
    fn running(&mut self) -> &mut Running {
        self.running.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the first error.
    fn remember_error(&mut self, result: Result<()>) {
        if let Err(error) = result
            && self.broken.is_none()
        {
            println!("{} is broken; the reason is below", self.exhibit.name);
            self.broken = Some(format!("{error:#}"));
        }
    }

    fn disturb(&mut self) {
        if self.broken.is_none() {
            let result = self.running().disturb();
            self.remember_error(result);
        }
    }

    fn check(&mut self) {
        if self.broken.is_none() {
            let result = self.running().check();
            self.remember_error(result);
        }
    }

    fn answer(&mut self) -> Result<Answer> {
        ensure!(self.broken.is_none(), "it is broken");
        let Exhibit { kind, has_accepted, .. } = *self.exhibit;
        let running = self.running();
        Ok(match kind {
            Kind::Healthy if has_accepted => {
                Answer::Healthy(Some(Accepted::parse(&running.ask("accept")?)?))
            }
            Kind::Healthy => Answer::Healthy(None),
            Kind::Twin => {
                let expectations = Expectation::parse_all(&running.ask("expect")?)?;
                Answer::Twin(expectations, running.last_event()?)
            }
        })
    }

    fn end(&mut self) {
        if self.broken.is_none() {
            let result = self.running().end();
            self.remember_error(result);
        }
    }
}

fn judge(
    participant: Participant<'_>,
    answer: Result<Answer>,
    observations: &Observations,
    began_s: f64,
    round: &Round,
) -> Outcome {
    if let Some(reason) = participant.broken {
        return Outcome::Broken(reason);
    }
    match answer {
        Err(error) => Outcome::Broken(format!("{error:#}")),
        Ok(Answer::Healthy(accepted)) => {
            Outcome::of_healthy(observations, accepted.as_ref(), began_s)
        }
        Ok(Answer::Twin(expectations, last_event_s)) => {
            Outcome::of_twin(observations, &expectations, last_event_s, began_s, round.idle)
        }
    }
}
