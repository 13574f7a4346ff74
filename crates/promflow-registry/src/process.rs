//! Which processes run.

/// Reads when a process started, so that an id that is used again is another process; nothing when it does not run.
///
/// Units: clock ticks since the machine started.
#[cfg(target_os = "linux")]
pub fn process_start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may hold any bytes.
    let name_end = stat.iter().rposition(|b| *b == b')')?;
    let mut fields = std::str::from_utf8(&stat[name_end + 1..]).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let ticks = fields.nth(18)?.parse().ok()?;
    // A zombie has ended: its parent has just not asked yet.
    (state != "Z" && state != "X").then_some(ticks)
}

/// Elsewhere every process is taken to be running.
#[cfg(not(target_os = "linux"))]
pub fn process_start_ticks(_: u32) -> Option<u64> {
    Some(0)
}
