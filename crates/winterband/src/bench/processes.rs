//! What a process takes, as Linux says it.

use anyhow::{Context, Result};

/// What it holds in memory, bytes.
pub(super) fn resident_bytes(pid: u32) -> Result<u64> {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).context("read what a process holds")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Processor time of a process so far, s; `None` where the system does not tell.
pub(super) fn cpu_seconds(pid: Option<u32>) -> Option<f64> {
    /// What Linux counts in on every platform that Rust runs on (`sysconf(_SC_CLK_TCK)`).
    const TICKS_PER_S: f64 = 100.0;
    let of = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).ok()?;
    // proc_pid_stat(5): the name in brackets may hold blanks; utime and stime are the 12th and 13th field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}
