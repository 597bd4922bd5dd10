//! Says which program this is, since when it runs, what memory it takes and whether it leads.

use std::sync::LazyLock;

use jiff::Timestamp;

use crate::exposition::{Page, Shape};
use crate::serve::Insight;

static STARTED: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);

/// Notes when the process began. Call it first.
pub fn started() {
    LazyLock::force(&STARTED);
}

/// The families of the process.
pub(super) fn expose(page: &mut Page, insight: &Insight) {
    let version = env!("CARGO_PKG_VERSION");
    let mut info = page.family("argo_rollouts_controller_info", Shape::Gauge, "Running controller version.");
    info.sample(&[("version", version)], 1.0);
    let help = "The build; the labels of Go programs that mean nothing here are empty.";
    let labels = [
        ("version", version),
        ("goversion", ""),
        ("goarch", architecture(std::env::consts::ARCH)),
        ("commit", ""),
    ];
    page.family("build_info", Shape::Gauge, help).sample(&labels, 1.0);
    let leads = f64::from(u8::from(insight.leadership.holds()));
    page.single("serin_leader", Shape::Gauge, "1 while this process holds the lease.", leads);
    let start = STARTED.as_millisecond();
    let start = start as f64 / 1000.0;
    page.single("process_start_time_seconds", Shape::Gauge, "Start time, seconds since the epoch.", start);
    expose_usage(page);
}

fn expose_usage(page: &mut Page) {
    let Some(usage) = Usage::now() else { return };
    let help = "Memory of our own, without files; named after Go's heap for the dashboards that read it.";
    page.single("go_memstats_heap_alloc_bytes", Shape::Gauge, help, usage.own);
    page.single("process_resident_memory_bytes", Shape::Gauge, "Resident memory.", usage.resident);
    page.single("process_virtual_memory_bytes", Shape::Gauge, "Virtual memory.", usage.virtual_size);
    page.single("process_cpu_seconds_total", Shape::Counter, "Seconds on a processor.", usage.processor);
    page.single("process_open_fds", Shape::Gauge, "Open files and sockets.", usage.open_files);
    page.single("process_max_fds", Shape::Gauge, "How many may be open.", usage.most_files);
}

/// An architecture as Go and container images call it.
fn architecture(ours: &'static str) -> &'static str {
    match ours {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// What this process takes of the machine: bytes, seconds, counts.
struct Usage {
    resident: f64,
    own: f64,
    virtual_size: f64,
    processor: f64,
    open_files: f64,
    most_files: f64,
}

/// Ticks of `/proc/PID/stat` in a second: 100 for programs on every architecture of Linux (`USER_HZ`).
const TICKS: f64 = 100.0;

impl Usage {
    /// Linux only (proc(5)).
    fn now() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let kilobytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok()
        };
        Some(Self {
            resident: kilobytes("VmRSS:")? * 1024.0,
            own: kilobytes("RssAnon:")? * 1024.0,
            virtual_size: kilobytes("VmSize:")? * 1024.0,
            processor: processor_seconds(&std::fs::read_to_string("/proc/self/stat").ok()?)?,
            open_files: std::fs::read_dir("/proc/self/fd").ok()?.count() as f64,
            most_files: most_files(&std::fs::read_to_string("/proc/self/limits").ok()?)?,
        })
    }
}

/// Time in user and kernel mode, fields 14 and 15; the name in field 2 may hold blanks, so they are counted from its end.
fn processor_seconds(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / TICKS)
}

/// The soft limit of open files.
fn most_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_takes_is_told() {
        let usage = Usage::now().unwrap();
        assert!(usage.own > 0.0 && usage.resident >= usage.own && usage.virtual_size >= usage.resident);
        assert!(usage.open_files >= 1.0 && usage.most_files >= usage.open_files);
    }

    #[test]
    fn a_name_with_blanks_and_brackets_hides_no_time() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(processor_seconds(stat), Some(3.0));
        assert_eq!(processor_seconds("7 (short) S 1"), None);
        assert_eq!(
            most_files("Max open files            1024                 524288               files"),
            Some(1024.0)
        );
    }
}
