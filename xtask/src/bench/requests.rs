//! Requests of a Go client on connections that are kept alive, with and without tracers: nothing is
//! hooked on that path but, if it is asked for, the ledger of responses.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::measure::Spread;
use super::partner::Partner;
use super::programs::Counting;
use super::sheet::Sheet;
use super::watcher::Watcher;
use crate::{command, workspace};

/// The ways to trace it, as arguments beside `--pid`. They take turns, so that what slows the
/// machine down slows all of them.
const WAYS: [(&str, Option<Way>); 4] = [
    ("no tracer", None),
    ("tracer, the whole host", Some(Way { with_pid: false, arguments: &[] })),
    ("tracer --pid --no-uprobes", Some(Way { with_pid: true, arguments: &["--no-uprobes"] })),
    ("tracer --pid, with the ledger", Some(Way { with_pid: true, arguments: &[] })),
];

/// How tracer is run.
#[derive(Clone, Copy)]
struct Way {
    with_pid: bool,
    arguments: &'static [&'static str],
}

/// What one round gave.
#[derive(Clone, Copy)]
struct Round {
    requests_per_s: f64,
    /// Time on a processor, of the client only: in itself and in the kernel.
    processor_us: f64,
}

/// Runs the client and its server, and prints how many requests they made, by how it was traced.
///
/// # Errors
/// If something fails.
pub(super) fn run(
    sheet: &mut Sheet,
    connections: usize,
    duration: Duration,
    rounds: usize,
) -> Result<()> {
    let go = env::var_os("TRACER_TEST_GO").map(PathBuf::from).or_else(|| command::find("go"));
    let Some(go) = go else {
        sheet.text("Requests were not measured, for there is no Go: install the package golang-go");
        return Ok(());
    };
    let program = build(&go)?;
    let mut client =
        Partner::start(Command::new(program).arg(format!("-connections={connections}")))?;
    if client.line()? != "ready" {
        bail!("the client does not start");
    }
    // What is slow the first time only is nobody's cost.
    measure(&mut client, Duration::from_secs(1))?;
    let mut results = WAYS.map(|_| Vec::new());
    for _ in 0..rounds {
        for ((_, way), results) in WAYS.iter().zip(&mut results) {
            let tracer = way.map(|it| it.start(client.pid())).transpose()?;
            results.push(measure(&mut client, duration)?);
            drop(tracer);
        }
    }
    let shares = WAYS.map(|(_, way)| way.map(|it| share(it, &mut client, duration)));
    let shares = shares.into_iter().map(Option::transpose).collect::<Result<Vec<_>>>()?;
    let version = command::output(Command::new(go).env("GOTOOLCHAIN", "local").arg("version"))?;
    let version = version.split(' ').nth(2).unwrap_or(&version).to_owned();
    let heading = format!(
        "GETs of 20 bytes on {connections} kept-alive connections, {version}, rounds of {duration:?}"
    );
    // The first that is there is of the whole host.
    if let Some(host) = shares.iter().flatten().next() {
        let part = percent(*host);
        sheet.conclude([
            "requests on kept-alive connections: hooks' part",
            &part,
            "",
            "",
            "< 0.1 %",
        ]);
    }
    table(sheet, &heading, &results, &shares)
}

impl Way {
    fn start(self, pid: u32) -> Result<Watcher> {
        let mut arguments: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        if self.with_pid {
            arguments.extend(["--pid".to_owned(), pid.to_string()]);
        }
        let mut watcher = Watcher::tracer(&arguments)?;
        watcher.mute();
        Ok(watcher)
    }
}

/// The run time of tracer's hooks, as a part of the time that the client was on a processor; the
/// iterator runs in tracer's own time. Measured for itself, since counting takes time, too.
fn share(way: Way, client: &mut Partner, duration: Duration) -> Result<f64> {
    let counting = Counting::begin()?;
    let watcher = way.start(client.pid())?;
    let before = counting.took_in_hooks();
    let round = measure(client, duration)?;
    let took = counting.took_in_hooks().saturating_sub(before);
    drop(watcher);
    let client_s = round.processor_us / 1e6 * round.requests_per_s * duration.as_secs_f64();
    Ok(took.as_secs_f64() / client_s)
}

/// One round of requests.
fn measure(client: &mut Partner, duration: Duration) -> Result<Round> {
    let answer = client.ask(&format!("run {}ms", duration.as_millis()))?;
    let [requests, processor_us] = answer[..] else { bail!("no two numbers: {answer:?}") };
    #[expect(clippy::cast_precision_loss, reason = "a few seconds hold fewer requests than 2^52")]
    let (requests, processor_us) = (requests as f64, processor_us as f64);
    Ok(Round {
        requests_per_s: requests / duration.as_secs_f64(),
        processor_us: processor_us / requests,
    })
}

fn table(
    sheet: &mut Sheet,
    heading: &str,
    results: &[Vec<Round>],
    shares: &[Option<f64>],
) -> Result<()> {
    let mut without = None;
    let mut rows = Vec::new();
    for (((name, _), rounds), share) in WAYS.iter().zip(results).zip(shares) {
        let rate = Spread::of(rounds.iter().map(|it| it.requests_per_s))?;
        let cost = Spread::of(rounds.iter().map(|it| it.processor_us))?;
        let without = *without.get_or_insert(rate.median);
        rows.push([
            (*name).to_owned(),
            rate.text(0),
            format!("{:.3}", rate.median / without),
            format!("{:.1}", cost.median),
            share.map(percent).unwrap_or_default(),
        ]);
    }
    sheet.table(
        heading,
        ["", "requests/s", "ratio", "client's µs of processor each", "hooks' part of that"],
        rows,
    );
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.4} %", 100.0 * share)
}

/// Builds the client of the tests.
fn build(go: &PathBuf) -> Result<PathBuf> {
    let directory = workspace::target()?.join("tmp");
    let program = directory.join("pace");
    let mut build = Command::new(go);
    build.env("GO111MODULE", "off").env("GOFLAGS", "").env("GOTOOLCHAIN", "local");
    build.env("GOCACHE", directory.join("go-cache")).env("CGO_ENABLED", "0").env_remove("GOROOT");
    build.args(["build", "-o"]).arg(&program);
    command::succeed(build.current_dir(workspace::root().join("tracer/tests/go/pace")))?;
    Ok(program)
}
