//! Requests of a Go client on connections that are kept alive, with and without a tracer. The only
//! probes on that path are uprobes, if they are attached.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::helper::Helper;
use super::measure::Spread;
use super::programs::Counting;
use super::report::BenchReport;
use super::tracing::Tracing;
use crate::build::Programs;
use crate::{command, go, workspace};

/// The tracers that are compared. They alternate, so that other load on the host affects all of
/// them.
const WAYS: [(&str, Option<Way>); 4] = [
    ("no tracer", None),
    ("tracer, the whole host", Some(Way { with_pid: false, arguments: &[] })),
    ("tracer --pid --no-uprobes", Some(Way { with_pid: true, arguments: &["--no-uprobes"] })),
    ("tracer --pid, with uprobes", Some(Way { with_pid: true, arguments: &[] })),
];

/// How tracer is run.
#[derive(Clone, Copy)]
struct Way {
    with_pid: bool,
    arguments: &'static [&'static str],
}

/// The measurements of one round.
#[derive(Clone, Copy)]
struct Round {
    requests_per_s: f64,
    /// CPU time of the client, in user space and in the kernel.
    cpu_us: f64,
}

/// Runs the client and its server, and prints how many requests they made with each tracer.
///
/// # Errors
/// If a program does not start or fails.
pub(super) fn run(
    programs: &Programs,
    report: &mut BenchReport,
    connections: usize,
    duration: Duration,
    rounds: usize,
) -> Result<()> {
    let Some(go) = go() else {
        report.text("Requests were not measured, because Go is missing: apt-get install golang-go");
        return Ok(());
    };
    let program = build(&go)?;
    let mut client =
        Helper::start(Command::new(program).arg(format!("-connections={connections}")))?;
    if client.line()? != "ready" {
        bail!("the client does not start");
    }
    // The first run is slower with any tracer.
    measure(&mut client, Duration::from_secs(1))?;
    let mut results = WAYS.map(|_| Vec::new());
    for _ in 0..rounds {
        for ((_, way), results) in WAYS.iter().zip(&mut results) {
            let tracer = way.map(|it| it.start(&programs.tracer, client.pid())).transpose()?;
            results.push(measure(&mut client, duration)?);
            drop(tracer);
        }
    }
    let shares =
        WAYS.map(|(_, way)| way.map(|it| share(it, &programs.tracer, &mut client, duration)));
    let shares = shares.into_iter().map(Option::transpose).collect::<Result<Vec<_>>>()?;
    let version = command::output(Command::new(go).env("GOTOOLCHAIN", "local").arg("version"))?;
    let version = version.split(' ').nth(2).unwrap_or(&version).to_owned();
    let heading = format!(
        "GETs of 20 bytes on {connections} kept-alive connections, {version}, rounds of {duration:?}"
    );
    // The first one is that of tracer on the whole host.
    if let Some(host) = shares.iter().flatten().next() {
        let share = percent(*host);
        report.summarize([
            "requests on kept-alive connections: share of CPU time in probes",
            &share,
            "",
            "",
            "< 0.1%",
        ]);
    }
    table(report, &heading, &results, &shares)
}

impl Way {
    fn start(self, program: &Path, pid: u32) -> Result<Tracing> {
        let mut arguments: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        if self.with_pid {
            arguments.extend(["--pid".to_owned(), pid.to_string()]);
        }
        let mut tracer = Tracing::tracer(program, &arguments)?;
        tracer.mute();
        Ok(tracer)
    }
}

/// The run time of tracer's probes as a share of the client's CPU time, in a separate run because
/// the kernel's statistics take time.
fn share(way: Way, program: &Path, client: &mut Helper, duration: Duration) -> Result<f64> {
    let counting = Counting::begin()?;
    let tracer = way.start(program, client.pid())?;
    let before = counting.took_in_probes();
    let round = measure(client, duration)?;
    let took = counting.took_in_probes().saturating_sub(before);
    drop(tracer);
    let client_s = round.cpu_us / 1e6 * round.requests_per_s * duration.as_secs_f64();
    Ok(took.as_secs_f64() / client_s)
}

/// One round of requests.
fn measure(client: &mut Helper, duration: Duration) -> Result<Round> {
    let answer = client.ask(&format!("run {}ms", duration.as_millis()))?;
    let [requests, cpu_us] = answer[..] else { bail!("no two numbers: {answer:?}") };
    #[expect(clippy::cast_precision_loss, reason = "no count reaches 2^52")]
    let (requests, cpu_us) = (requests as f64, cpu_us as f64);
    Ok(Round { requests_per_s: requests / duration.as_secs_f64(), cpu_us: cpu_us / requests })
}

fn table(
    report: &mut BenchReport,
    heading: &str,
    results: &[Vec<Round>],
    shares: &[Option<f64>],
) -> Result<()> {
    let mut without = None;
    let mut rows = Vec::new();
    for (((name, _), rounds), share) in WAYS.iter().zip(results).zip(shares) {
        let rate = Spread::of(rounds.iter().map(|it| it.requests_per_s))?;
        let cost = Spread::of(rounds.iter().map(|it| it.cpu_us))?;
        let without = *without.get_or_insert(rate.median);
        rows.push([
            (*name).to_owned(),
            rate.text(0),
            format!("{:.3}", rate.median / without),
            format!("{:.1}", cost.median),
            share.map(percent).unwrap_or_default(),
        ]);
    }
    report.table(
        heading,
        ["", "requests/s", "ratio", "client's CPU µs per request", "share in probes"],
        rows,
    );
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.4}%", 100.0 * share)
}

/// The Go command, if there is one.
pub(super) fn go() -> Option<PathBuf> {
    env::var_os("TRACER_TEST_GO").map(PathBuf::from).or_else(|| command::find("go"))
}

/// Builds the client of the tests.
///
/// # Errors
/// If it does not build.
pub(super) fn build(go: &PathBuf) -> Result<PathBuf> {
    let directory = workspace::target()?.join("tmp");
    let program = directory.join("pace");
    let mut build = Command::new(go);
    build.env("GO111MODULE", "off").env("GOFLAGS", "").env("GOTOOLCHAIN", "local");
    build.env("GOCACHE", go::cache()?).env("CGO_ENABLED", "0").env_remove("GOROOT");
    build.args(["build", "-o"]).arg(&program);
    command::succeed(build.current_dir(workspace::root().join("tracer/tests/go/pace")))?;
    Ok(program)
}
