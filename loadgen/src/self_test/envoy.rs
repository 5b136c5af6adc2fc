//! A closed loop of one thread on one worker of Envoy, to see who waits for whom.
//!
//! Owns which scenario that is and how many users. Must not know the bound.

use lab::envoy_binary::EnvoyBinary;
use lab::runtime::{self, LaunchOptions, RuntimeKind};
use lab::scenario::Scenario;
use lab::topology::Role;

use super::load::{Target, load};
use super::outcome::Saturation;
use super::{Bench, SelfTestError, closed_loop};
use crate::experiment::obtain;

/// Enough that Envoy never waits for the generator.
const USERS: u32 = 32;
/// Without its plugin: Envoy alone, which answers by itself.
const SCENARIO: &str = "hit-floor";

impl Bench<'_> {
    pub(super) async fn envoy(&self) -> Result<Option<(Saturation, EnvoyBinary)>, SelfTestError> {
        if self.stop.is_raised() {
            return Ok(None);
        }
        let scenario = Scenario::find(SCENARIO)?.without_filters();
        let path = scenario.endpoints[0].path.clone();
        let envoy = obtain::envoy(self.progress).await?;
        self.progress
            .step("one worker of Envoy, as fast as it goes");
        let lab = runtime::launch(LaunchOptions {
            scenario,
            runtime: RuntimeKind::Process,
            workers: Some(1),
            artefact: None,
            envoy: envoy.clone(),
            plugin_config: None,
            server_exe: self.test.server_exe.clone(),
            listen: None,
            gateways: 1,
            store: None,
        })
        .await?;
        let url = lab.endpoint(Role::ENVOY);
        let target = Target {
            url: &url,
            path: &path,
            watch: lab.pids().get(&Role::ENVOY.to_string()).copied(),
        };
        let profile = closed_loop(USERS, self.seconds());
        let loaded = load(&target, &profile, &self.timer, self.stop).await;
        lab.stop().await?;
        Ok(loaded?.map(|loaded| {
            let used = loaded.other_cpu.unwrap_or_default();
            let saturation = Saturation {
                rate: loaded.rate(),
                envoy_share: loaded.share(used),
                generator_share: loaded.share(loaded.cpu),
                envoy_cpu_us_per_request: loaded.per_request_us(used),
            };
            (saturation, envoy)
        }))
    }
}
