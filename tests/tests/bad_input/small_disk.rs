//! A file system of a few megabytes, which a test can fill without harm.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use bus::DiskSpace;
use tempfile::TempDir;

const SIZE: &str = "size=64m";
/// Set for a test that runs as root of a user namespace of its own.
const INSIDE: &str = "WINTERBAND_TEST_INSIDE";
const PIECE_BYTES: usize = 64 * 1024;

/// The folder `data` of a folder for a product; unmounted when this is dropped, after the product that writes to it.
pub(crate) struct SmallDisk(PathBuf);

/// Mounts a small disk for the test of that name (with its module, as the test runner knows it).
///
/// Where mounting is not permitted, the test runs once more as root of a user namespace of its own, where it is, and `None`
/// says that it has passed there.
pub(crate) fn small_disk(test: &str) -> Option<(TempDir, SmallDisk)> {
    let folder = tempfile::tempdir().unwrap();
    if let Some(disk) = SmallDisk::mount(&folder.path().join("data")) {
        return Some((folder, disk));
    }
    assert!(std::env::var_os(INSIDE).is_none(), "the root of a user namespace may not mount a tmpfs");
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount"]);
    if !unshare.arg("true").status().is_ok_and(|status| status.success()) {
        say_skipped();
        return None;
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount"]).arg(std::env::current_exe().unwrap());
    let output = unshare.args(["--exact", test, "--nocapture"]).env(INSIDE, "yes").output().unwrap();
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    None
}

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    /// Fills it up to a percentage.
    pub(crate) fn fill_to(&self, percent: u32) {
        let mut file = self.ballast();
        while DiskSpace::of(&self.0).unwrap().used_percent() < percent {
            file.write_all(&[7; PIECE_BYTES]).unwrap();
        }
    }

    /// Fills it but for so many bytes.
    pub(crate) fn fill_but(&self, left: u64) {
        let mut file = self.ballast();
        while file.write_all(&[7; PIECE_BYTES]).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length - left).unwrap();
    }

    /// Makes room again.
    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }

    fn ballast(&self) -> std::fs::File {
        std::fs::File::options().create(true).append(true).open(self.0.join("ballast")).unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nobody uses it any more; should that be wrong, it goes with its last user.
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
        drop(std::fs::remove_dir_all(self.0.parent().unwrap_or(&self.0)));
    }
}

#[expect(clippy::print_stderr, reason = "whoever reads the test's output is told what it did not do")]
fn say_skipped() {
    eprintln!("not tried here: neither mounting a small file system nor a user namespace is permitted");
}
