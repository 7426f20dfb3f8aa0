//! Parsers of option values.

use std::{net::IpAddr, time::Duration};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use ipnet::{IpNet, Ipv4Net};
use jiff::SignedDuration;

use crate::{
    collect::{kernel::hooks::AttachFamily, plan::Source},
    output::options::{DocumentFormat, OutputFormat},
};

/// A longer duration is treated as a mistake.
const DURATION_MAX: Duration = Duration::from_hours(366 * 24);

/// Five windows of 1s: while something changes, each contains a snapshot.
const GROWTH_MIN: Duration = Duration::from_secs(5);

/// Maximum length of a process name in the kernel, in bytes (`TASK_COMM_LEN` - 1).
const COMM_MAX: usize = 15;

/// A parser for these names, each with a help text and a value.
fn choice<T: Copy + Send + Sync + 'static, const N: usize>(
    choices: [(&'static str, &'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    let names = choices.map(|(name, help, _)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(names).try_map(move |name| {
        let found = choices.iter().find(|(known, ..)| *known == name);
        found.map(|(.., value)| *value).ok_or("unknown name")
    })
}

pub(super) fn output_format() -> impl TypedValueParser<Value = OutputFormat> {
    choice([
        ("table", "A table to read", OutputFormat::Table),
        ("json", "One document; live, one document per line", OutputFormat::Json),
        ("jsonl", "A line per new, changed or retracted finding", OutputFormat::JsonLines),
        ("csv", "The same rows as --csv", OutputFormat::Csv),
    ])
}

pub(super) fn document_format() -> impl TypedValueParser<Value = DocumentFormat> {
    choice([
        ("table", "A table to read", DocumentFormat::Table),
        ("json", "One document", DocumentFormat::Json),
    ])
}

pub(super) fn source() -> impl TypedValueParser<Value = Source> {
    choice([
        ("kernel", "BPF programs", Source::Kernel),
        ("sock-diag", "sock_diag, /proc and pidfd_getfd", Source::SockDiag),
    ])
}

pub(super) fn attach_family(text: &str) -> Result<AttachFamily, String> {
    AttachFamily::named(text).ok_or_else(|| "expected tracepoint, fentry or kprobe".to_owned())
}

/// The first digits of a container ID, in lower case. Fewer than four are treated as a mistake.
pub(super) fn container(text: &str) -> Result<String, String> {
    let is_id = text.bytes().all(|byte| byte.is_ascii_hexdigit()) && (4..=64).contains(&text.len());
    if is_id {
        return Ok(text.to_ascii_lowercase());
    }
    Err("expected 4 to 64 hexadecimal digits, as docker ps or crictl ps shows them".to_owned())
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration =
        text.parse().map_err(|_| "expected a duration such as 500ms, 3s or 5m".to_owned())?;
    let duration =
        Duration::try_from(duration).map_err(|_| "a duration must not be negative".to_owned())?;
    if duration > DURATION_MAX {
        return Err("must be at most 366 days".to_owned());
    }
    Ok(duration)
}

pub(super) fn positive(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_millis(1) {
        return Err("must be at least 1ms".to_owned());
    }
    Ok(duration)
}

pub(super) fn growth(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < GROWTH_MIN {
        return Err(format!("must be at least {}s", GROWTH_MIN.as_secs()));
    }
    Ok(duration)
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number of at least 1".to_owned()),
        Ok(count) => Ok(count),
    }
}

pub(super) fn pid(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| match comm(text) {
        Ok(name) if !name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
            format!("expected a pid; to select processes by name, use --comm {name}")
        }
        _ => "expected a pid".to_owned(),
    })
}

pub(super) fn comm(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("a process name cannot be empty".to_owned()),
        1..=COMM_MAX => Ok(text.to_owned()),
        _ => Err(format!("the kernel truncates process names: give the first {COMM_MAX} bytes")),
    }
}

pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let expected = |_| "expected an IP address or a network such as 10.0.0.0/8".to_owned();
    let network = text.parse().or_else(|_| address()).map_err(expected)?;
    // IPv4 connections of IPv6 sockets are shown and compared as IPv4.
    Ok(match network {
        IpNet::V6(mapped) if mapped.prefix_len() >= 96 => mapped
            .addr()
            .to_ipv4_mapped()
            .and_then(|address| Ipv4Net::new(address, mapped.prefix_len() - 96).ok())
            .map_or(network, IpNet::V4),
        _ => network,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_limits() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert!(duration("3").is_err());
        assert!(duration("-3s").is_err());
        assert!(positive("0s").is_err());
    }

    #[test]
    fn a_name_in_place_of_a_pid_is_selected_with_comm() {
        assert_eq!(pid("4711"), Ok(4_711));
        let hint = "expected a pid; to select processes by name, use --comm nginx".to_owned();
        assert_eq!(pid("nginx"), Err(hint));
        for text in ["", "-1", "99999999999", "a name longer than the kernel keeps"] {
            assert_eq!(pid(text), Err("expected a pid".to_owned()), "{text}");
        }
    }

    #[test]
    fn a_remote_is_a_network_or_an_address() {
        assert_eq!(network("10.0.0.0/8").map(|net| net.to_string()), Ok("10.0.0.0/8".to_owned()));
        assert_eq!(network("::1").map(|net| net.to_string()), Ok("::1/128".to_owned()));
        assert!(network("localhost").is_err());
        let mapped = network("::ffff:10.0.0.0/104").map(|net| net.to_string());
        assert_eq!(mapped, Ok("10.0.0.0/8".to_owned()));
    }
}
