//! The process's own figures, from `/proc`.

use std::fs;

/// What `/proc` says about this process. A figure that cannot be read is absent.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) open_fds: Option<u64>,
    pub(super) max_fds: Option<u64>,
    pub(super) started_at: Option<f64>,
}

/// Clock ticks per second in `/proc`: the kernel's USER_HZ, 100 on every platform that Rust runs
/// on.
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    pub(super) fn read() -> Self {
        let mut process = Self::default();
        let text = |name: &str| fs::read_to_string(name).unwrap_or_default();
        process.take_stat(&text("/proc/self/stat"), boot_time(&text("/proc/stat")));
        process.take_status(&text("/proc/self/status"));
        process.max_fds = limit_of_files(&text("/proc/self/limits"));
        process.open_fds = fs::read_dir("/proc/self/fd")
            .ok()
            // The directory itself is open while it is read.
            .map(|entries| (entries.count() as u64).saturating_sub(1));
        process
    }

    fn take_stat(&mut self, stat: &str, boot_time: Option<f64>) {
        // The name in parentheses may hold blanks and parentheses itself.
        let Some((_, fields)) = stat.rsplit_once(')') else {
            return;
        };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        // Fields 14, 15 and 22 of proc(5), counted from the one after the name, which is field 3.
        if let (Some(user), Some(kernel)) = (ticks(11), ticks(12)) {
            self.cpu_seconds = Some((user + kernel) / TICKS_PER_SECOND);
        }
        if let (Some(start), Some(boot)) = (ticks(19), boot_time) {
            self.started_at = Some(boot + start / TICKS_PER_SECOND);
        }
    }

    fn take_status(&mut self, status: &str) {
        let kibibytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let number: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(number * 1_024)
        };
        self.resident_bytes = kibibytes("VmRSS:");
        self.virtual_bytes = kibibytes("VmSize:");
    }
}

fn boot_time(stat: &str) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn limit_of_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let mut process = Process::default();
        let stat = "7 (a) b) S 1 1 1 0 -1 4 0 0 0 0 250 50 0 0 20 0 9 0 1000 9 9\n";
        process.take_stat(stat, boot_time("cpu 1\nbtime 1700000000\n"));
        process.take_status("VmSize:\t    2048 kB\nVmRSS:\t    1024 kB\n");
        assert_eq!(process.cpu_seconds, Some(3.0));
        assert_eq!(process.started_at, Some(1_700_000_010.0));
        assert_eq!(process.virtual_bytes, Some(2 * 1024 * 1024));
        assert_eq!(process.resident_bytes, Some(1024 * 1024));
        let limits = "Max open files            20000                20000                files\n";
        assert_eq!(limit_of_files(limits), Some(20_000));
    }

    #[test]
    fn a_missing_file_leaves_figures_out() {
        let mut process = Process::default();
        process.take_stat("", None);
        process.take_status("");
        assert_eq!(process, Process::default());
        assert_eq!(limit_of_files(""), None);
    }
}
