//! The shared libraries an executable needs beside it in an image made from nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Libraries and loader of `program`, by the paths the loader looks for them. None for a static
/// executable.
pub(super) fn of(program: &Path) -> io::Result<Vec<PathBuf>> {
    let output = Command::new("ldd")
        .arg(program)
        .stdin(Stdio::null())
        .output()?;
    // A static executable is reported as a failure.
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(paths(&text))
}

/// Lines are `name => path (address)`, `path (address)` for the loader, `name (address)` for what
/// the kernel provides.
fn paths(listing: &str) -> Vec<PathBuf> {
    listing
        .lines()
        .filter_map(|line| {
            let (line, _) = line.trim().rsplit_once(" (")?;
            let path = line.split_once(" => ").map_or(line, |(_, path)| path);
            path.starts_with('/').then(|| PathBuf::from(path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_loader_are_listed_and_the_kernels_part_is_not() {
        let listing = "\tlinux-vdso.so.1 (0x00007f2da60c5000)\n\
                       \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f2d9ef20000)\n\
                       \tlibmissing.so.1 => not found\n\
                       \t/lib64/ld-linux-x86-64.so.2 (0x00007f2da60c7000)\n";
        let expected = [
            "/lib/x86_64-linux-gnu/libm.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(paths(listing), expected.map(PathBuf::from));
    }

    #[test]
    fn a_static_executable_needs_none() {
        assert_eq!(paths("\tstatically linked\n"), Vec::<PathBuf>::new());
    }
}
