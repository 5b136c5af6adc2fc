//! Calls of the container engine that testcontainers has no words for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::models::NetworkCreateRequest;
use testcontainers::bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, ListContainersOptionsBuilder,
    ListImagesOptionsBuilder, ListNetworksOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptions,
};
use testcontainers::core::client::docker_client_instance;

use super::{DockerError, LABEL};
use crate::runtime::owner::Owner;

/// An engine that does not answer in this time is not there.
const PING_LIMIT: Duration = Duration::from_secs(10);

/// How much of a log an error shows.
const TAIL_LINES: &str = "30";

/// Whether containers can be used here; the error says why not, for whoever skips them.
pub async fn docker_available() -> Result<(), String> {
    match Engine::connect().await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// What the engine says about a container.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) has_ended: bool,
    pub(super) status: String,
    pub(super) pid: Option<u32>,
    pub(super) ip: Option<IpAddr>,
}

/// A connection to the engine.
#[derive(Debug)]
pub(super) struct Engine(Docker);

impl Engine {
    pub(super) async fn connect() -> Result<Self, DockerError> {
        let no_engine = |reason: String| DockerError::NoEngine { reason };
        let docker = docker_client_instance()
            .await
            .map_err(|error| no_engine(error.to_string()))?;
        match tokio::time::timeout(PING_LIMIT, docker.ping()).await {
            Ok(Ok(_)) => Ok(Self(docker)),
            Ok(Err(error)) => Err(no_engine(error.to_string())),
            Err(_) => Err(no_engine("it does not answer".to_owned())),
        }
    }

    pub(super) async fn create_network(&self, name: &str) -> Result<(), DockerError> {
        let network = NetworkCreateRequest {
            name: name.to_owned(),
            labels: Some([(LABEL.to_owned(), Owner::current().to_string())].into()),
            ..NetworkCreateRequest::default()
        };
        let created = self.0.create_network(network).await;
        created.map(|_| ()).map_err(call("create a network"))
    }

    pub(super) async fn remove_network(&self, name: &str) -> Result<(), DockerError> {
        unless_missing(self.0.remove_network(name).await).map_err(call("remove a network"))
    }

    pub(super) async fn inspect(&self, id: &str, network: &str) -> Result<Facts, DockerError> {
        let answer = self
            .0
            .inspect_container(id, None::<InspectContainerOptions>)
            .await
            .map_err(call("inspect a container"))?;
        let state = answer.state.unwrap_or_default();
        let networks = answer.network_settings.and_then(|it| it.networks);
        let ip = networks
            .and_then(|mut networks| networks.remove(network)?.ip_address)
            .and_then(|ip| ip.parse().ok());
        Ok(Facts {
            has_ended: state.running == Some(false),
            status: format!("exit status {}", state.exit_code.unwrap_or_default()),
            pid: state
                .pid
                .and_then(|pid| u32::try_from(pid).ok())
                .filter(|pid| *pid > 0),
            ip,
        })
    }

    pub(super) async fn kill(&self, id: &str) -> Result<(), DockerError> {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        let killed = self.0.kill_container(id, Some(options)).await;
        killed.map_err(call("kill a container"))
    }

    pub(super) async fn remove(&self, id: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        let removed = self.0.remove_container(id, Some(options)).await;
        unless_missing(removed).map_err(call("remove a container"))
    }

    pub(super) async fn log_tail(&self, id: &str) -> String {
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .tail(TAIL_LINES)
            .build();
        let mut lines = self.0.logs(id, Some(options));
        let mut text = String::new();
        while let Some(Ok(line)) = lines.next().await {
            text.push_str(&line.to_string());
        }
        text.trim_end().to_owned()
    }

    /// Ids of all containers of labs, with the owner that their label names.
    pub(super) async fn containers(&self) -> Result<Vec<(String, String)>, DockerError> {
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&with_label())
            .build();
        let listed = self
            .0
            .list_containers(Some(options))
            .await
            .map_err(call("list containers"))?;
        let owned = |labels: Option<HashMap<String, String>>| labels?.remove(LABEL);
        let containers = listed.into_iter();
        Ok(containers
            .filter_map(|it| Some((it.id?, owned(it.labels)?)))
            .collect())
    }

    /// Ids of all networks of labs, with the owner that their label names.
    pub(super) async fn networks(&self) -> Result<Vec<(String, String)>, DockerError> {
        let options = ListNetworksOptionsBuilder::new()
            .filters(&with_label())
            .build();
        let listed = self
            .0
            .list_networks(Some(options))
            .await
            .map_err(call("list networks"))?;
        let networks = listed.into_iter();
        Ok(networks
            .filter_map(|it| Some((it.id?, it.labels?.remove(LABEL)?)))
            .collect())
    }

    /// Images of this name under all their tags.
    pub(super) async fn images(&self, name: &str) -> Result<Vec<Made>, DockerError> {
        let named = HashMap::from([("reference".to_owned(), vec![name.to_owned()])]);
        let options = ListImagesOptionsBuilder::new().filters(&named).build();
        let listed = self
            .0
            .list_images(Some(options))
            .await
            .map_err(call("list images"))?;
        let made = listed.into_iter().flat_map(|image| {
            let at_unix = image.created;
            let tags = image.repo_tags.into_iter();
            tags.map(move |reference| Made { reference, at_unix })
        });
        Ok(made.collect())
    }

    /// Removes an image, unless something uses it.
    pub(super) async fn remove_image(&self, reference: &str) -> Result<(), DockerError> {
        let removed = self
            .0
            .remove_image(reference, None::<RemoveImageOptions>, None)
            .await;
        unless_missing(removed.map(|_| ())).map_err(call("remove an image"))
    }
}

/// An image's name with its tag, and when it was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) reference: String,
    pub(super) at_unix: i64,
}

/// Removes the network of a dropped lab, from a thread with a runtime of its own: the one that drops
/// may be shutting down. A failure is left to the next start's sweep.
pub(super) fn remove_network_in_background(network: String) {
    let removal = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            if let Ok(engine) = Engine::connect().await {
                let _ = engine.remove_network(&network).await;
            }
        });
    };
    // Joined, so that a process that ends right after the drop leaves nothing behind.
    let _ = std::thread::spawn(removal).join();
}

fn with_label() -> HashMap<String, Vec<String>> {
    [("label".to_owned(), vec![LABEL.to_owned()])].into()
}

fn call(action: &str) -> impl FnOnce(EngineError) -> DockerError + use<> {
    let action = action.to_owned();
    move |source| DockerError::Call { action, source }
}

/// What is already gone needs no removing; what somebody else is removing goes too.
fn unless_missing(result: Result<(), EngineError>) -> Result<(), EngineError> {
    match result {
        Err(EngineError::DockerResponseServerError {
            status_code: 404 | 409,
            ..
        }) => Ok(()),
        other => other,
    }
}
