//! The process's own limits.

use std::fs::read_to_string;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files the process may have open as far as it may, and gives that number.
pub(crate) fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

/// Bytes of memory that the process may use: the machine's, or what its control group is given, if that is less. None
/// when the system does not say.
pub(crate) fn usable_memory() -> Option<u64> {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups).into_iter().filter_map(|path| read_to_string(path).ok());
    // "max" is no number.
    let of_groups = limits.filter_map(|text| text.trim().parse().ok());
    machine.into_iter().chain(of_groups).min()
}

/// Where the limits of the control groups stand that `/proc/self/cgroup` names, of each group and those around it: of
/// version 2, and of version 1, which has a tree for memory alone.
fn limit_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(mut path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        loop {
            path = path.trim_end_matches('/');
            files.push(format!("{root}{path}/{file}"));
            let Some((parent, _)) = path.rsplit_once('/') else { break };
            path = parent;
        }
    }
    files
}

/// The machine's memory in the text of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_what_the_system_says() {
        let text = "MemTotal:        1048576 kB\nMemFree:          123 kB\n";
        assert_eq!(total(text), Some(1 << 30));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        let groups = "4:memory:/a/b\n3:cpuset:/\n0::/\n";
        let expected = ["memory/a/b/memory.limit_in_bytes", "memory/a/memory.limit_in_bytes"];
        let expected = expected.into_iter().chain(["memory/memory.limit_in_bytes", "memory.max"]);
        let expected: Vec<_> = expected.map(|path| format!("/sys/fs/cgroup/{path}")).collect();
        assert_eq!(limit_files(groups), expected);
        assert!(usable_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
