//! The one thread that starts processes.
//!
//! A child's parent-death signal fires when the thread that started it ends; threads of an async
//! runtime or of a test come and go, this one stays until the process ends.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

struct Job {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

/// Starts `command` from the spawning thread.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let (reply, answer) = channel();
    let sender = sender()?;
    sender
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send(Job { command, reply })
        .map_err(|_| ended())?;
    answer.recv().map_err(|_| ended())?
}

fn sender() -> io::Result<&'static Mutex<Sender<Job>>> {
    static SENDER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    if let Some(sender) = SENDER.get() {
        return Ok(sender);
    }
    let (sender, jobs) = channel::<Job>();
    // Two threads may get here at once; the loser's channel closes and its thread ends idle.
    thread::Builder::new()
        .name("lab-spawner".to_owned())
        .spawn(move || {
            for mut job in jobs {
                // Whoever asked may have been cancelled: nobody would end the child then.
                if let Err(unclaimed) = job.reply.send(job.command.spawn())
                    && let Ok(mut child) = unclaimed.0
                {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
        })?;
    Ok(SENDER.get_or_init(|| Mutex::new(sender)))
}

fn ended() -> io::Error {
    io::Error::other("the spawning thread has ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_outlive_the_thread_that_asked_for_them() {
        let mut child = thread::spawn(|| {
            let mut command = Command::new("sleep");
            command.arg("60");
            spawn(command).expect("sleep can be run")
        })
        .join()
        .expect("the thread ends well");
        assert!(child.try_wait().expect("it can be waited for").is_none());
        child.kill().expect("it can be ended");
        child.wait().expect("it can be waited for");
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let error = spawn(Command::new("/nowhere/program")).expect_err("it does not exist");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
