//! `backend` and `upstream`: the lab's servers, each on its own; `guard`: what starts them.
//!
//! Owns their command lines. Must not know what they serve.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

use clap::{Args, Subcommand};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::backend::population::LoadError;
use crate::backend::store::StoreError;
use crate::backend::store::redis::RedisStore;
use crate::backend::{Backend, InternalAuth, InternalAuthError};
use crate::http_server::{ServeError, bind, write_address};
use crate::precise_timer::PreciseTimer;
use crate::runtime::guard::{self, GuardError};
use crate::upstream::Upstream;

/// A server of the lab.
#[derive(Clone, Debug, Subcommand)]
pub enum ServerCommand {
    /// Run the 3scale-compatible backend alone
    Backend {
        /// Where it listens
        #[command(flatten)]
        listen: Listen,
        /// User and password of the internal API
        #[arg(long, value_name = "USER:PASSWORD")]
        internal_auth: Secret,
        /// File of state documents to load before it listens, as `lab population` writes it
        #[arg(long, value_name = "FILE")]
        population: Option<PathBuf>,
        /// Redis database that keeps counters, services and all the rest over restarts:
        /// redis://HOST:PORT/DB or redis+unix:///PATH?db=DB. Without it everything is in memory and
        /// ends with the process. See docs/BACKEND.md
        #[arg(long, value_name = "URL")]
        store: Option<Secret>,
    },
    /// Run the upstream, the protected API, alone
    Upstream {
        /// Where it listens
        #[command(flatten)]
        listen: Listen,
    },
    /// Become another program that is killed when process `parent` ends
    #[command(hide = true)]
    Guard {
        /// The process that starts this one
        #[arg(long, value_name = "PID")]
        parent: u32,
        /// How many processors the program may use
        #[arg(long, value_name = "N")]
        processors: Option<u32>,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// Where a server listens.
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// Address to listen on; port 0 lets the system choose
    #[arg(long = "listen", value_name = "ADDR")]
    pub address: SocketAddr,
    /// File that the bound address is written to once the server is ready
    #[arg(long, value_name = "FILE")]
    pub address_file: Option<PathBuf>,
    /// Threads that serve; as many as there are cores if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// A text that no output repeats. It is looked at only after the command line was read, because an
/// error about a bad argument quotes it.
#[derive(Clone)]
pub struct Secret(String);

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a server, or what a guard was to become, did not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// It cannot listen.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The credentials of the internal API are malformed.
    #[error(transparent)]
    InternalAuth(#[from] InternalAuthError),
    /// The file of the population cannot be opened.
    #[error("cannot read the population in {}", path.display())]
    PopulationFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The population cannot be loaded.
    #[error("cannot load the population in {}", path.display())]
    Population {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: LoadError,
    },
    /// The backend's store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system does not deliver signals.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    /// The guarded program did not start.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

impl ServerCommand {
    /// How many threads it is to be run on.
    pub fn threads(&self) -> usize {
        let asked = match self {
            Self::Backend { listen, .. } | Self::Upstream { listen } => listen.threads,
            Self::Guard { .. } => Some(1),
        };
        let cores = || available_parallelism().map_or(1, NonZeroUsize::get);
        asked.map_or_else(cores, usize::from)
    }

    /// Runs the server until SIGTERM or Ctrl-C.
    ///
    /// `Guard` never returns when it succeeds; it expects to be called from the process's first
    /// thread, as from `main` by way of `block_on`.
    pub async fn run(self) -> Result<(), ServerError> {
        match self {
            Self::Backend {
                listen,
                internal_auth,
                population,
                store,
            } => {
                let auth = InternalAuth::parse(&internal_auth.0)?;
                let end = stop_signal().map_err(ServerError::Signals)?;
                let backend = match store {
                    None => Backend::new(auth, PreciseTimer::start()),
                    Some(Secret(url)) => {
                        let store = Box::new(RedisStore::new(&url)?);
                        Backend::with_store(auth, PreciseTimer::start(), store).await?
                    }
                };
                if let Some(path) = population {
                    load_population(&backend, path).await?;
                }
                let listener = listen.open().await?;
                backend.serve(listener, end).await;
            }
            Self::Upstream { listen } => {
                let end = stop_signal().map_err(ServerError::Signals)?;
                let listener = listen.open().await?;
                Upstream::new(PreciseTimer::start())
                    .serve(listener, end)
                    .await;
            }
            Self::Guard {
                parent,
                processors,
                command,
            } => match guard::run(parent, processors, &command)? {},
        }
        Ok(())
    }
}

/// Nothing is served yet, so nothing is kept waiting.
async fn load_population(backend: &Arc<Backend>, path: PathBuf) -> Result<(), ServerError> {
    let started = Instant::now();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(source) => return Err(ServerError::PopulationFile { path, source }),
    };
    let loaded = Arc::clone(backend).load_population(file).await;
    let loaded = loaded.map_err(|source| ServerError::Population { path, source })?;
    println!(
        "loaded {} services and {} applications in {:.1} s",
        loaded.services,
        loaded.applications,
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

impl Listen {
    /// Binds, and tells where: connections are accepted from here on, and answered soon after.
    async fn open(&self) -> Result<TcpListener, ServeError> {
        let listener = bind(self.address).await?;
        let address = listener.local_addr().unwrap_or(self.address);
        if let Some(file) = &self.address_file {
            write_address(file, address)?;
        }
        println!("listening on http://{address}");
        Ok(listener)
    }
}

fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        server: ServerCommand,
    }

    #[tokio::test]
    async fn malformed_credentials_are_refused_without_being_repeated() {
        let line = [
            "lab",
            "backend",
            "--listen",
            "127.0.0.1:0",
            "--internal-auth",
            "hunter2",
        ];
        let line = Line::try_parse_from(line).expect("the form is looked at later");
        assert!(!format!("{line:?}").contains("hunter2"));
        let error = line
            .server
            .run()
            .await
            .expect_err("there is no password")
            .to_string();
        assert_eq!(error, "internal credentials need the form USER:PASSWORD");
    }
}
