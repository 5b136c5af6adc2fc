//! Is there a container engine for a test?

use lab::runtime::docker_available;

/// Whether to go on; panics where an engine was asked for and there is none.
pub(crate) async fn engine_is_there() -> bool {
    let asked_for = std::env::var("LAB_RUNTIME").is_ok_and(|runtime| runtime == "docker");
    match docker_available().await {
        Ok(()) => true,
        Err(reason) if asked_for => panic!("LAB_RUNTIME=docker: {reason}"),
        Err(reason) => {
            eprintln!("skipped: {reason}");
            false
        }
    }
}
