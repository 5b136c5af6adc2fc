//! The plugin's configuration, as far as this sample understands it.
//!
//! Owns what a request asks: one service, a `user_key` in the query, rules for whole paths.

use serde::Deserialize;

/// Where workers leave the configuration for the singleton, which has none of its own.
pub(crate) const SHARED: &str = "article.config";

/// The one service.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) token: String,
    mapping_rules: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
struct Rule {
    pattern: String,
    usages: Vec<Usage>,
}

/// What one request adds to one metric.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Usage {
    pub(crate) name: String,
    pub(crate) delta: u64,
}

#[derive(Deserialize)]
struct Document {
    services: Vec<Service>,
}

/// What a request asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Demand {
    /// As it stands in the query, escapes included, which is how it goes to the backend again.
    pub(crate) user_key: String,
    pub(crate) usages: Vec<Usage>,
}

impl Service {
    /// Reads the configuration; `None` when it is not one.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(json).ok()?;
        document.services.into_iter().next()
    }

    /// The key of an application's record.
    pub(crate) fn record_key(&self, application: &str) -> String {
        format!("article.app.{}_{application}", self.id)
    }

    /// Under which key of shared data the application of a `user_key` is found. Its callout's lock has
    /// the same name.
    pub(crate) fn mapping_key(&self, user_key: &str) -> String {
        format!("article.key.{}_{user_key}", self.id)
    }

    /// What a request for `target` asks; the status of the refusal if nothing can be asked.
    pub(crate) fn demand(&self, target: &str) -> Result<Demand, u32> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let user_key = query
            .split('&')
            .find_map(|parameter| parameter.strip_prefix("user_key="))
            .ok_or(401_u32)?;
        let matches = |rule: &&Rule| rule.pattern.strip_suffix('$') == Some(path);
        let usages: Vec<Usage> = self
            .mapping_rules
            .iter()
            .filter(matches)
            .flat_map(|rule| rule.usages.iter().cloned())
            .collect();
        match usages.is_empty() {
            true => Err(404),
            false => Ok(Demand {
                user_key: user_key.to_owned(),
                usages,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &[u8] = br#"{"api": "v1", "services": [{
        "id": "7", "token": "t", "authorities": ["*"],
        "mapping_rules": [{"method": "any", "pattern": "/hello$",
                           "usages": [{"name": "hits", "delta": 2}]}]
    }]}"#;

    #[test]
    fn a_request_asks_what_its_path_and_query_say() {
        let service = Service::parse(CONFIGURATION).expect("valid");
        let demand = service.demand("/hello?a=b&user_key=k%20").expect("asks");
        assert_eq!(demand.user_key, "k%20");
        assert_eq!(demand.usages[0].delta, 2);
        assert_eq!(service.demand("/hello"), Err(401));
        assert_eq!(service.demand("/hello/you?user_key=k"), Err(404));
        assert_eq!(service.record_key("a"), "article.app.7_a");
        assert_eq!(service.mapping_key("k"), "article.key.7_k");
        assert!(Service::parse(b"{}").is_none());
    }
}
