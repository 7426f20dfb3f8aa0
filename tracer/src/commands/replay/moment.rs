//! Which of the reports of a recording is the one of a moment.

use std::path::Path;

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp, tz::Offset};
use tracer_core::Input;

use crate::{
    cli::At,
    recording::{Recording, Step},
};

/// How many reports there are until then.
///
/// # Errors
/// The recording cannot be read, or does not hold that moment.
pub(crate) fn find(path: &Path, at: At) -> Result<u64> {
    let mut recording = Recording::open(path)?;
    let clock = recording.head().clock;
    // When each report was about, by the judgement before it.
    let (mut moments, mut now) = (Vec::new(), None);
    while let Some(step) = recording.step()? {
        match step {
            Step::Input(Input::Tick(at)) => now = Some(clock.wall_time(at)),
            Step::Reported => moments.extend(now),
            _ => {}
        }
    }
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
        bail!("the recording ended before anything was judged");
    };
    // Whole milliseconds: a moment that a report gives is to be that of this report.
    let moment = resolve(at, *last).as_millisecond();
    if moment < first.as_millisecond() || moment > last.as_millisecond() {
        bail!("--at is outside of the recording, which goes from {first:.3} to {last:.3}");
    }
    Ok(moments.iter().take_while(|at| at.as_millisecond() <= moment).count() as u64)
}

/// The latest such moment until the end.
fn resolve(at: At, last: Timestamp) -> Timestamp {
    let time = match at {
        At::Moment(moment) => return moment,
        At::TimeOfDay(time) => time,
    };
    let today = Offset::UTC.to_datetime(last).date().to_datetime(time);
    let moment = Offset::UTC.to_timestamp(today).unwrap_or(last);
    let a_day_before = moment.checked_sub(SignedDuration::from_hours(24)).unwrap_or(moment);
    if moment > last { a_day_before } else { moment }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_the_last_one_until_the_end() {
        let last = "2026-03-02T09:30:00Z".parse().unwrap();
        for (time, moment) in [
            ("02:00", "2026-03-02T02:00:00Z"),
            ("09:30", "2026-03-02T09:30:00Z"),
            ("09:31", "2026-03-01T09:31:00Z"),
            ("23:59:59", "2026-03-01T23:59:59Z"),
        ] {
            let at = At::TimeOfDay(time.parse().unwrap());
            assert_eq!(resolve(at, last), moment.parse().unwrap(), "{time}");
        }
        let moment = "2020-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(resolve(At::Moment(moment), last), moment);
    }
}
