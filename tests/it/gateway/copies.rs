//! A large file passes through without being held.

use std::fs;

use super::both::Both;

/// Bytes of the file.
const SIZE: u64 = 256 << 20;

/// The most by which the gateway's memory may grow, in KiB: an eighth of the file.
const GROWTH: u64 = SIZE / 8 / 1024;

#[test]
fn a_large_file_passes_both_ways_in_little_memory() {
    let both = Both::open();
    let docker = both.through();
    docker.run(&["run", "-d", "--name", "box", "--network", "none", "busybox", "sleep", "600"]).ok();
    let large = both.dir().join("large");
    fs::File::create(&large).unwrap().set_len(SIZE).unwrap();
    let pid = both.quay.wharf.wharfinger.pid();
    let before = peak_kib(pid);

    docker.run(&["cp", &large.display().to_string(), "box:/large"]).ok();
    let mut back = docker.command("sh");
    let counted = back.args(["-c", "docker cp box:/large - | tail -c +513 | head -c 268435456 | sha256sum"]);
    let counted = String::from_utf8(counted.output().unwrap().stdout).unwrap();
    let mut there = docker.command("sh");
    let expected = there.args(["-c", "head -c 268435456 /dev/zero | sha256sum"]).output().unwrap().stdout;

    assert_eq!(counted, String::from_utf8(expected).unwrap());
    let grown = peak_kib(pid) - before;
    assert!(grown < GROWTH, "the gateway grew by {grown} KiB");
}

/// The most memory that a process has had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
