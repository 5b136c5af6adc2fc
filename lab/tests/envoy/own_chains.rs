//! A scenario's own filter chain in a real Envoy.

use std::path::Path;

use lab::runtime::{Lab, LaunchError, LaunchOptions, RuntimeKind, launch};
use lab::scenario::Scenario;
use lab::topology::Role;
use tempfile::TempDir;

use super::harness::setup::{artefact, envoy, server_exe};

const SCENARIO: &str = r#"
name = "mine"
description = "The plugin between two filters."
[plugin]
enabled = true
[[endpoints]]
method = "GET"
path = "/hello"
[[envoy.http_filters]]
name = "before"
[envoy.http_filters.typed_config]
"@type" = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
mutations.response_mutations = [{ append = { header = { key = "x-order", value = "before" } } }]
[[envoy.http_filters]]
plugin = true
[[envoy.http_filters]]
file = "after.yaml"
"#;

const AFTER: &str = r#"---
# Two filters, as Envoy's documentation writes them.
- name: after
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
    mutations:
      response_mutations:
        - append: { header: { key: x-order, value: after } }
- name: lua
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
    default_source_code:
      inline_string: |
        function envoy_on_response(handle)
          handle:headers():add("x-order", "lua")
        end
"#;

/// A scenario file with a file of filters beside it.
fn files(scenario: &str, after: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    write("mine.toml", scenario).expect("it can be written");
    write("after.yaml", after).expect("it can be written");
    folder
}

fn find(folder: &Path) -> Scenario {
    let path = folder.join("mine.toml").display().to_string();
    Scenario::find(&path).unwrap_or_else(|error| panic!("{error}"))
}

async fn start(scenario: Scenario) -> Result<Lab, LaunchError> {
    let options = LaunchOptions {
        scenario,
        runtime: RuntimeKind::Process,
        workers: None,
        artefact: Some(artefact()),
        envoy: envoy(),
        plugin_config: None,
        server_exe: server_exe(),
        listen: None,
        gateways: 1,
        store: None,
    };
    launch(options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_pass_an_own_chain_in_its_order() {
    let folder = files(SCENARIO, AFTER);
    let scenario = find(folder.path());
    let lab = start(scenario.clone()).await.expect("the lab comes up");
    let table = scenario.requests();
    let listener = lab.endpoint(Role::ENVOY);
    // The plugin's answer goes back through the whole chain too.
    for request in [table.request(0, 0), table.unknown_request(0, 0)] {
        let url = format!("{listener}{}", request.path_and_query);
        let answer = super::harness::client().get(url).send().await;
        let answer = answer.expect("Envoy answers");
        assert_eq!(answer.status().as_u16(), request.expected_status);
        // Answers pass the filters from the last to the first.
        let values = answer.headers().get_all("x-order").iter();
        let passed: Vec<&str> = values.map(|value| value.to_str().expect("text")).collect();
        assert_eq!(passed, ["lua", "after", "before"]);
    }
    lab.stop().await.expect("the lab ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_envoy_refuses_is_shown_with_its_own_words() {
    let odd = AFTER.replace("x-order, value", "x-order, valu");
    let folder = files(SCENARIO, &odd);
    let error = start(find(folder.path()))
        .await
        .expect_err("there is no field `valu`");
    let ended = LaunchError::Ended {
        role: Role::ENVOY,
        status: String::new(),
        log: String::new(),
    };
    assert_eq!(
        std::mem::discriminant(&error),
        std::mem::discriminant(&ended),
        "{error}"
    );
    assert!(error.to_string().contains("valu"), "{error}");
}
