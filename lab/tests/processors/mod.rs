//! What tests of confined services share.

use lab::processors;
use lab::runtime::Lab;
use lab::topology::Role;

/// The processors that a service may use, as the kernel writes them.
pub(crate) fn allowed_processors(lab: &Lab, role: Role) -> String {
    let pid = lab.pids()[&role.to_string()];
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.expect("the kernel says it").trim().to_owned()
}

/// The processor that a service is confined to which may use one.
pub(crate) fn last_processor() -> String {
    processors::last(1).expect("the kernel says it")
}
