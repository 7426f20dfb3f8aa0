//! Finds the report of a recording that was the latest at a given time.

use std::path::Path;

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp, tz::Offset};
use tracer_core::Input;

use crate::{
    cli::ReportTime,
    recording::{Recording, Step},
};

/// The number of reports up to a time.
///
/// # Errors
/// The recording cannot be read, or does not cover that time.
pub(crate) fn reports_until(path: &Path, until: ReportTime) -> Result<u64> {
    let mut recording = Recording::open(path)?;
    let clock = recording.head().clock;
    // The time of each report is that of the last judgment before it.
    let (mut times, mut now) = (Vec::new(), None);
    while let Some(step) = recording.step()? {
        match step {
            Step::Input(Input::Tick(at)) => now = Some(clock.wall_time(at)),
            Step::Reported => times.extend(now),
            _ => {}
        }
    }
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        bail!("cannot replay {}: it ends before the first report", path.display());
    };
    // Compared in milliseconds, because reports print times in milliseconds.
    let until = resolve(until, *last).as_millisecond();
    if until < first.as_millisecond() || until > last.as_millisecond() {
        bail!("--at is outside the recording: give a time from {first:.3} to {last:.3}");
    }
    Ok(times.iter().take_while(|time| time.as_millisecond() <= until).count() as u64)
}

/// The timestamp, or the last occurrence of the time of day that is not after `last`.
fn resolve(time: ReportTime, last: Timestamp) -> Timestamp {
    let time = match time {
        ReportTime::Timestamp(timestamp) => return timestamp,
        ReportTime::TimeOfDay(time) => time,
    };
    let today = Offset::UTC.to_datetime(last).date().to_datetime(time);
    let today = Offset::UTC.to_timestamp(today).unwrap_or(last);
    let yesterday = today.checked_sub(SignedDuration::from_hours(24)).unwrap_or(today);
    if today > last { yesterday } else { today }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_its_last_occurrence() {
        let last = "2026-03-02T09:30:00Z".parse().unwrap();
        for (time, timestamp) in [
            ("02:00", "2026-03-02T02:00:00Z"),
            ("09:30", "2026-03-02T09:30:00Z"),
            ("09:31", "2026-03-01T09:31:00Z"),
            ("23:59:59", "2026-03-01T23:59:59Z"),
        ] {
            let time_of_day = ReportTime::TimeOfDay(time.parse().unwrap());
            assert_eq!(resolve(time_of_day, last), timestamp.parse().unwrap(), "{time}");
        }
        let timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(resolve(ReportTime::Timestamp(timestamp), last), timestamp);
    }
}
