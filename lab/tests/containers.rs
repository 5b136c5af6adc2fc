//! The same lab in containers. Skipped, saying why, where there is no engine, unless LAB_RUNTIME
//! asks for it.

mod engine;
mod processors;
mod support;
#[path = "support/wait.rs"]
mod wait;

use std::time::Duration;

use engine::engine_is_there;
use lab::runtime::{RuntimeKind, launch};
use lab::topology::Role;
use processors::{allowed_processors, last_processor};
use support::{passthrough, send};
use wait::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_of_containers_serves_survives_faults_and_ends() {
    if !engine_is_there().await {
        return;
    }
    let mut options = passthrough(RuntimeKind::Docker);
    options.scenario.envoy.processors = Some(1);
    let request = options.scenario.requests().request(0, 0);
    let mut lab = launch(options).await.expect("the lab comes up");
    let listener = lab.endpoint(Role::ENVOY);
    assert_eq!(send(&listener, &request).await.expect("Envoy answers"), 200);

    assert_eq!(allowed_processors(&lab, Role::ENVOY), last_processor());

    lab.pause(Role::Backend).await.expect("it runs");
    lab.resume(Role::Backend).await.expect("it is paused");
    lab.kill(Role::Upstream).await.expect("it runs");
    assert_eq!(send(&listener, &request).await.expect("Envoy answers"), 503);
    lab.restart(Role::Upstream).await.expect("it starts again");
    await_status(&listener, &request, 200).await;

    let counts = lab
        .drain(Duration::from_secs(10))
        .await
        .expect("nothing is pending");
    assert_eq!(
        counts.upstream_requests, 1,
        "counts start again with the upstream"
    );
    lab.stop().await.expect("the lab ends");
}

/// The upstream may come back under another address, which Envoy has to look up first.
async fn await_status(listener: &str, request: &lab::scenario::Request, status: u16) {
    wait_until(format!("{status} from {listener}"), async || {
        let answer = send(listener, request).await.expect("Envoy answers");
        if answer == status {
            Ok(())
        } else {
            Err(answer)
        }
    })
    .await;
}
