//! The `backend` object: where the Service Management API is.
//!
//! Owns [`Backend`] and [`Extension`]. Must not know what is asked there.

use serde::Deserialize;

use super::value::{Checked, Fields, Number, Object, Text, not_supported, word};

/// The 3scale backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backend {
    /// Envoy's cluster.
    pub cluster: String,
    /// The authority that calls name.
    pub authority: String,
    /// What stands before the paths of the API: empty, or starting and not ending with `/`.
    pub path_prefix: String,
    /// How long a call may take.
    pub timeout_ms: u64,
    /// Options of every call besides those that the cache needs.
    pub extensions: Vec<Extension>,
}

/// An option that is sent in the header `3scale-options`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extension {
    /// Sent with every call anyway.
    Hierarchy,
    /// Adds headers with the remaining calls.
    LimitHeaders,
    /// Sent with every call anyway.
    ListAppKeys,
    /// Understood and not sent: the cache reads the bodies of answers.
    NoBody,
    /// Sent with every call anyway.
    RejectionReasonHeader,
}

impl Extension {
    const WORDS: [(&'static str, Self); 5] = [
        ("hierarchy", Self::Hierarchy),
        ("limit_headers", Self::LimitHeaders),
        ("list_app_keys", Self::ListAppKeys),
        ("no_body", Self::NoBody),
        ("rejection_reason_header", Self::RejectionReasonHeader),
    ];
}

impl Text for Extension {
    const EXPECTED: &'static str = "one of `hierarchy`, `limit_headers`, `list_app_keys`, \
                                    `no_body`, `rejection_reason_header`, alone or with `=1`";

    fn read(raw: &str) -> Result<Self, String> {
        let name = raw.strip_suffix("=1").unwrap_or(raw);
        if name == "flat_usage" {
            return Err(not_supported());
        }
        word(name, &Self::WORDS)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBackend {
    /// Only a label, as in the configuration of the filter that this one succeeds.
    #[serde(rename = "name")]
    _name: Option<String>,
    upstream: Object<RawUpstream>,
    extensions: Option<Vec<Checked<Extension>>>,
}

impl Fields for RawBackend {
    const EXPECTED: &'static str = "an object with `upstream`";
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUpstream {
    name: Checked<Cluster>,
    url: Checked<Url>,
    timeout: Option<Number<1, { Backend::TIMEOUT_MS_MAX }>>,
}

impl Fields for RawUpstream {
    const EXPECTED: &'static str = "an object with `name` and `url`";
}

impl Backend {
    const TIMEOUT_MS_DEFAULT: u64 = 1_000;
    const TIMEOUT_MS_MAX: u64 = 600_000;
}

impl From<RawBackend> for Backend {
    fn from(raw: RawBackend) -> Self {
        let RawUpstream { name, url, timeout } = raw.upstream.0;
        let extensions = raw.extensions.unwrap_or_default();
        Self {
            cluster: name.0.0,
            authority: url.0.authority,
            path_prefix: url.0.path_prefix,
            timeout_ms: timeout.map_or(Self::TIMEOUT_MS_DEFAULT, |timeout| timeout.0),
            extensions: extensions.into_iter().map(|checked| checked.0).collect(),
        }
    }
}

struct Cluster(String);

impl Text for Cluster {
    const EXPECTED: &'static str = "the name of an Envoy cluster";

    fn read(raw: &str) -> Result<Self, String> {
        if raw.trim().is_empty() {
            return Err("empty".to_owned());
        }
        Ok(Self(raw.to_owned()))
    }
}

struct Url {
    authority: String,
    path_prefix: String,
}

impl Text for Url {
    const EXPECTED: &'static str = "a URL like `https://su1.3scale.net`, without user, query and \
                                    fragment";
    // A URL may carry a user and a password, and a refused one is refused perhaps because of them.
    const SECRET: bool = true;

    fn read(raw: &str) -> Result<Self, String> {
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| raw.strip_prefix(scheme))
            .ok_or("invalid value: neither `http://` nor `https://`")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        check_authority(authority)?;
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains(['?', '#']) {
            return Err("invalid value: bad path".to_owned());
        }
        Ok(Self {
            authority: authority.to_owned(),
            path_prefix: path.trim_end_matches('/').to_owned(),
        })
    }
}

fn check_authority(authority: &str) -> Result<(), String> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_is_fine = match in_brackets {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let is_name =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            !host.is_empty() && host.bytes().all(is_name)
        }
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    match (host_is_fine, port.is_none_or(is_port)) {
        (true, true) => Ok(()),
        (false, _) => Err("invalid value: bad host".to_owned()),
        (_, false) => Err("invalid value: bad port".to_owned()),
    }
}
