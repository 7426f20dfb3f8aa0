//! Durations as people say them.

use alloc::{format, string::String};

/// A duration in the two largest units that matter: `45s`, `51m`, `2h 5m`, `3d 4h`.
pub fn humane(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, 1..10) if !seconds.is_multiple_of(60) => format!("{minutes}m {}s", seconds % 60),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) if !minutes.is_multiple_of(60) => format!("{hours}h {}m", minutes % 60),
        (0, _, _) => format!("{hours}h"),
        _ if !hours.is_multiple_of(24) => format!("{days}d {}h", hours % 24),
        _ => format!("{days}d"),
    }
}
