use std::{collections::BTreeSet, fmt, sync::LazyLock};

use serde_json::Value;

use super::{Fd, validator::Validator};

/// Whether the host is a virtual machine with software emulation.
pub(crate) fn is_slow_host() -> bool {
    std::env::var_os("TRACER_TEST_SLOW_HOST").is_some()
}

/// Every document that a test reads is validated.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| Validator::strict("report"));

/// One JSON document of the tracer.
pub(crate) struct Report(Value);

impl Report {
    /// Reads the last of the documents in a text.
    pub(crate) fn parse(text: &str) -> Self {
        let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        match documents.collect::<Result<Vec<_>, _>>() {
            Ok(mut documents) => {
                let last = documents.pop().expect("there is a document");
                SCHEMA.check(&last);
                Self(last)
            }
            Err(error) => panic!("not JSON ({error}): {text}"),
        }
    }

    fn findings(&self) -> impl Iterator<Item = Finding> {
        assert!(self.0["findings"].is_array(), "{self}");
        array(&self.0["findings"]).map(Finding)
    }

    /// The findings about a process, including retracted ones.
    pub(crate) fn findings_of(&self, pid: u32) -> Vec<Finding> {
        self.findings().filter(|finding| finding.number("pid") == u64::from(pid)).collect()
    }

    /// The first leak of any process.
    pub(crate) fn any_leak(&self) -> Option<Finding> {
        self.findings().find(Finding::is_leak)
    }

    /// Active findings of a process that are at least *likely*.
    pub(crate) fn leaks_of(&self, pid: u32) -> Vec<Finding> {
        self.findings_of(pid).into_iter().filter(Finding::is_leak).collect()
    }

    /// The one leak of a process.
    pub(crate) fn leak_of(&self, pid: u32) -> Finding {
        let mut leaks = self.leaks_of(pid);
        assert_eq!(leaks.len(), 1, "one leak of process {pid} is expected: {self}");
        leaks.remove(0)
    }

    /// The number of connections in the leaks of a process.
    pub(crate) fn leaked_by(&self, pid: u32) -> u64 {
        self.leaks_of(pid).iter().map(Finding::count).sum()
    }

    /// Every connection that a process holds, with a finding or (`--all`) without. Listeners are
    /// not connections.
    pub(crate) fn connections_of(&self, pid: u32) -> Vec<Connection> {
        self.findings()
            .flat_map(|finding| finding.connections())
            .chain(array(&self.0["connections"]).map(Connection))
            .filter(|connection| connection.text("state") != "LISTEN")
            .filter(|connection| connection.owners().iter().any(|&(owner, _)| owner == pid))
            .collect()
    }

    /// The member of `processes` for a process.
    pub(crate) fn process(&self, pid: u32) -> Value {
        let mut processes = array(&self.0["processes"]);
        let process = processes.find(|process| process["pid"] == pid);
        process.unwrap_or_else(|| panic!("process {pid} is not in {self}"))
    }

    /// The note with a code, if the report has one.
    pub(crate) fn note(&self, code: &str) -> Option<Value> {
        array(&self.0["coverage"]["notes"]).find(|note| note["code"] == code)
    }

    /// Whether snapshots were taken without BPF programs.
    pub(crate) fn is_degraded(&self) -> bool {
        self.note("without-kernel-programs").is_some()
    }

    /// The member with a name.
    pub(crate) fn member(&self, name: &str) -> &Value {
        &self.0[name]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#}", self.0)
    }
}

/// One finding of a report.
#[derive(Debug)]
pub(crate) struct Finding(Value);

impl Finding {
    /// The text of a member.
    pub(crate) fn text(&self, name: &str) -> &str {
        text(&self.0, name)
    }

    /// The number of a member.
    pub(crate) fn number(&self, name: &str) -> u64 {
        number(&self.0, name)
    }

    /// Whether a member has no value.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.0.get(name).unwrap_or_else(|| panic!("no {name} in {:#}", self.0)).is_null()
    }

    /// The evidence with a code, if the finding has any.
    pub(crate) fn evidence(&self, code: &str) -> Option<Value> {
        array(&self.0["evidence"]).find(|fact| fact["code"] == code)
    }

    /// Whether it has the caveat with a code.
    pub(crate) fn has_caveat(&self, code: &str) -> bool {
        array(&self.0["caveats"]).any(|caveat| caveat["code"] == code)
    }

    /// The number of connections that it is about.
    pub(crate) fn count(&self) -> u64 {
        self.number("count")
    }

    /// Whether it is active and at least *likely*. On a slow host, *possible* is enough: with a
    /// short `--idle`, the last event of a leak is already too long ago when the tracer has
    /// started.
    fn is_leak(&self) -> bool {
        let is_enough = match self.text("confidence") {
            "likely" | "certain" => true,
            "possible" => is_slow_host(),
            _ => false,
        };
        is_enough && !self.is_retracted()
    }

    /// Whether the finding was retracted.
    pub(crate) fn is_retracted(&self) -> bool {
        !self.0["retracted_at"].is_null()
    }

    /// Its connections.
    pub(crate) fn connections(&self) -> Vec<Connection> {
        array(&self.0["connections"]).map(Connection).collect()
    }

    /// The file descriptors of its connections in the owning process.
    pub(crate) fn fds(&self) -> BTreeSet<Fd> {
        self.connections().iter().map(Connection::fd).collect()
    }
}

/// One connection of a finding or of the unflagged ones.
#[derive(Debug)]
pub(crate) struct Connection(Value);

impl Connection {
    /// The text of a member.
    pub(crate) fn text(&self, name: &str) -> &str {
        text(&self.0, name)
    }

    /// The number of a member.
    pub(crate) fn number(&self, name: &str) -> u64 {
        number(&self.0, name)
    }

    /// The truth value of a member.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or_else(|| panic!("{name} is no boolean in {:#}", self.0))
    }

    /// The file descriptor in the owning process.
    pub(crate) fn fd(&self) -> Fd {
        Fd::try_from(self.number("fd")).expect("file descriptors are small")
    }

    /// All pairs of process and file descriptor that refer to it.
    pub(crate) fn owners(&self) -> BTreeSet<(u32, Fd)> {
        let small = |value| u32::try_from(value).expect("pids and file descriptors are small");
        array(&self.0["owners"])
            .map(|owner| (small(number(&owner, "pid")), small(number(&owner, "fd"))))
            .collect()
    }
}

fn array(value: &Value) -> impl Iterator<Item = Value> + use<> {
    value.as_array().cloned().unwrap_or_default().into_iter()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is no text in {value:#}"))
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} is no number in {value:#}"))
}
