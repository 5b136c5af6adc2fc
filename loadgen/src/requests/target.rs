//! Where requests go, and what each of them says about it.
//!
//! Owns [`Target`]: the parts of a URL that every request to it shares. Must not know what is asked for.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use reqwest::Url;

use super::RequestError;

/// Scheme, host and port of a target, in the forms that requests have them in.
pub(super) struct Target {
    url: Url,
    /// As it stands before a path.
    origin: String,
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, RequestError> {
        let url = parse_target(text)?;
        Self::of(url).ok_or_else(|| refused(text))
    }

    fn of(url: Url) -> Option<Self> {
        let host = url.host_str()?;
        // The port of the scheme is not named, which is what `port` leaves out.
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Some(Self {
            origin: url.origin().ascii_serialization(),
            scheme: url.scheme().parse().ok()?,
            host: HeaderValue::from_str(&authority).ok()?,
            authority: authority.parse().ok()?,
            url,
        })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// What a request of HTTP/1.1 has as `host`.
    pub(super) fn host(&self) -> HeaderValue {
        self.host.clone()
    }

    /// Path and query as a URL would have them: what a URL may not hold is percent-encoded.
    pub(super) fn path(&self, path_and_query: &str) -> Option<PathAndQuery> {
        let url = Url::parse(&format!("{}{path_and_query}", self.origin)).ok()?;
        match url.query() {
            Some(query) => format!("{}?{query}", url.path()).parse().ok(),
            None => url.path().parse().ok(),
        }
    }

    /// What a request of h2 asks for. Shares all of its parts.
    pub(super) fn absolute(&self, path: &Uri) -> Option<Uri> {
        let mut parts = path.clone().into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        Uri::from_parts(parts).ok()
    }
}

/// A target from its text: scheme and host have to be there, a path is allowed and ignored.
pub fn parse_target(text: &str) -> Result<Url, RequestError> {
    let url = Url::parse(text).map_err(|_| refused(text))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err(refused(text))
    }
}

/// Neither a password nor a query belongs into a message.
fn refused(text: &str) -> RequestError {
    let shown = text.split('?').next().unwrap_or_default();
    let shown = shown.rsplit('@').next().unwrap_or_default();
    RequestError::Target {
        url: shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_and_never_names_another_host() {
        #[track_caller]
        fn check(target: &str, path: &str, expected: &str) {
            let target = Target::parse(target).expect("a target");
            let path = Uri::from(target.path(path).expect("a path"));
            let absolute = target.absolute(&path).expect("a URI");
            assert_eq!(absolute.to_string(), expected);
        }
        check("http://a:80/ignored", "/b?c=d e", "http://a/b?c=d%20e");
        check("https://user:secret@a:444", "/é", "https://a:444/%C3%A9");
        check("http://[::1]:81", "//b/c", "http://[::1]:81//b/c");
    }
}
