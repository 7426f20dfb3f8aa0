//! Requests of a Go client whose responses are followed, beside the same without.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use comfy_table::{CellAlignment, Table, presets};

use super::median;
use super::partner::Partner;
use crate::{command, workspace};

/// The ways to trace it, as arguments beside `--pid`. They take turns, so that what slows the
/// machine down slows all of them.
const WAYS: [(&str, Option<&[&str]>); 3] = [
    ("no tracer", None),
    ("tracer --pid", Some(&[])),
    ("tracer --pid --no-uprobes", Some(&["--no-uprobes"])),
];

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
/// If there is no Go, or something fails.
pub(super) fn run(connections: usize, duration: Duration, rounds: usize) -> Result<()> {
    let go = env::var_os("TRACER_TEST_GO").map(PathBuf::from).or_else(|| command::find("go"));
    let go =
        go.context("there is no Go to build the client with: install the package golang-go")?;
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
        for ((_, arguments), results) in WAYS.iter().zip(&mut results) {
            let tracer = arguments.map(|it| Tracer::start(client.pid(), it)).transpose()?;
            results.push(measure(&mut client, duration)?);
            drop(tracer);
        }
    }
    let version = command::output(Command::new(go).env("GOTOOLCHAIN", "local").arg("version"))?;
    let version = version.split(' ').nth(2).unwrap_or(&version).to_owned();
    println!(
        "\nGETs of 20 bytes on {connections} kept-alive connections, {version}, \
         {rounds} rounds of {duration:?} each in turn"
    );
    println!("{}", table(&results)?);
    Ok(())
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

fn table(results: &[Vec<Round>]) -> Result<Table> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["", "requests/s", "from", "to", "ratio", "µs of processor a request"]);
    let mut without = None;
    for ((name, _), rounds) in WAYS.iter().zip(results) {
        let rates: Vec<f64> = rounds.iter().map(|it| it.requests_per_s).collect();
        let costs: Vec<f64> = rounds.iter().map(|it| it.processor_us).collect();
        let rate = median(&rates).context("there was a round")?;
        let cost = median(&costs).context("there was a round")?;
        let without = *without.get_or_insert(rate);
        table.add_row([
            (*name).to_owned(),
            format!("{rate:.0}"),
            format!("{:.0}", rates.iter().copied().fold(f64::INFINITY, f64::min)),
            format!("{:.0}", rates.iter().copied().fold(0.0, f64::max)),
            format!("{:.3}", rate / without),
            format!("{cost:.1}"),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    Ok(table)
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

/// A running tracer. It is killed with this.
struct Tracer(Child);

impl Tracer {
    /// Starts it and waits until it has looked for the first time: everything is attached then.
    fn start(pid: u32, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(workspace::target()?.join("release/tracer"));
        command.args(["--pid", &pid.to_string(), "-o", "json"]).args(arguments);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", command::describe(&command)))?;
        let mut tracer = Self(child);
        let mut documents = BufReader::new(tracer.0.stdout.take().context("it is piped")?);
        if documents.read_line(&mut String::new())? == 0 {
            bail!("`{}` ended at once", command::describe(&command));
        }
        thread::spawn(move || std::io::copy(&mut documents, &mut std::io::sink()));
        Ok(tracer)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // It is gone already if this fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
