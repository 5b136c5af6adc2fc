//! Goose, as far as a load needs it: users that start and end.
//!
//! Owns how Goose is set up and run. Must not know tickets or requests, which are a user's ([`user`]).

use std::sync::Arc;
use std::time::Duration;

use goose::GooseAttack;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionFunction};
use goose::metrics::GooseMetrics;
use parking_lot::Mutex;
use reqwest::Url;
use tokio::sync::oneshot;

use super::DriveError;
use super::user::{self, Shared};
use crate::cpu::ThreadClocks;

/// The load as Goose knows it: so many users, each of one transaction.
pub(super) fn attack(shared: &Arc<Shared>, users: usize) -> Result<GooseAttack, DriveError> {
    let wrap = |error| DriveError::Goose(Box::new(error));
    // Only a name to Goose: every request has its whole URL.
    let host = shared.requests.target().map_or("", Url::as_str);
    let configuration = configuration(host, users).map_err(wrap)?;
    // Users have the load's own connections; this keeps Goose from building one for each of them.
    let no_client = goose::client::GooseClientBuilder::new().without_cookies();
    let attack = GooseAttack::initialize_with_config(configuration)
        .and_then(|attack| attack.set_client_builder_without_cookies(no_client))
        .map_err(wrap)?;
    let shared = shared.clone();
    let function: TransactionFunction = Arc::new(move |goose_user| {
        let shared = shared.clone();
        Box::pin(async move {
            transaction(goose_user, &shared).await;
            Ok(())
        })
    });
    let transaction = Transaction::new(function).set_name("tickets");
    Ok(attack.register_scenario(Scenario::new("load").register_transaction(transaction)))
}

/// Marks a Goose user that has found no ticket any more.
#[derive(Clone)]
struct HasLeft;

/// All that a Goose user ever does: everything in its first transaction. It then tells Goose, which
/// ends the attack when the last one has, and waits in further transactions until Goose notices.
///
/// Goose's own way, a number of iterations, would print to standard output.
async fn transaction(goose_user: &mut GooseUser, shared: &Shared) {
    const UNTIL_NOTICED: Duration = Duration::from_millis(100);
    if goose_user.get_session_data::<HasLeft>().is_some() {
        tokio::time::sleep(UNTIL_NOTICED).await;
        return;
    }
    let index = goose_user.weighted_users_index;
    user::work(shared, index).await;
    goose_user.set_session_data(HasLeft);
    if let Some(parent) = &goose_user.shutdown_channel
        && !shared.stop.is_raised()
    {
        // The receiver is gone only if the whole attack is.
        let _ = parent.send(index);
    }
}

/// Goose without its controllers, whose fixed ports would collide between two loads (the one over
/// WebSocket is off unless asked for), and without its own metrics, which count from the actual
/// start of a request and cost more than the request.
fn configuration(target: &str, users: usize) -> Result<GooseConfiguration, goose::GooseError> {
    let users = users.to_string();
    GooseConfiguration::parse_args_default(&[
        "--host",
        target,
        "--users",
        &users,
        // All at once, as far as Goose allows: the load begins when the last one is there.
        "--increase-rate",
        "1000000",
        "--no-telnet",
        "--no-metrics",
        "--no-print-metrics",
        "-qqq",
    ])
}

/// Runs it on a thread of its own, and on more where there are to be several `workers`; what it came to goes
/// to `report`.
pub(super) fn spawn(
    workers: usize,
    clocks: Arc<Mutex<ThreadClocks>>,
    attack: GooseAttack,
    report: oneshot::Sender<Result<GooseMetrics, DriveError>>,
) -> Result<std::thread::JoinHandle<()>, std::io::Error> {
    let runtime = if workers == 1 {
        // No work stealing and no second thread to wake: the cheapest way to send.
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
    } else {
        let clocks = clocks.clone();
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name("load-worker")
            .on_thread_start(move || clocks.lock().add_current_thread())
            .enable_all()
            .build()?
    };
    std::thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || {
            clocks.lock().add_current_thread();
            let ended = runtime.block_on(attack.execute());
            // The receiver is gone only if the load was dropped.
            let _ = report.send(ended.map_err(|error| DriveError::Goose(Box::new(error))));
        })
}
