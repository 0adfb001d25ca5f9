//! Addresses of issuers: HTTPS, or HTTP on this host where that was asked for.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;
use rustls_pki_types::ServerName;

use super::WebError;

/// An address that may be asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    authority: String,
    target: String,
    name: Option<ServerName<'static>>,
}

impl Address {
    /// Reads an address. HTTP is for loopback and only where `allow_http`: keys that somebody on the way can
    /// replace are no keys.
    ///
    /// # Errors
    /// [`WebError::Address`].
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, WebError> {
        let bad = |why| WebError::Address { address: text.escape_debug().to_string(), why };
        let uri: Uri = text.parse().map_err(|_| bad("is not an address: write `https://host/path`"))?;
        let authority = uri.authority().ok_or_else(|| bad("names no host: write `https://host/path`"))?;
        if authority.as_str().contains('@') {
            return Err(bad("holds a user name or password: take it out"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (name, port) = match uri.scheme_str() {
            Some("https") => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| bad("names a host that no certificate can be for"))?;
                (Some(name), 443)
            }
            Some("http") if allow_http && is_loopback(&host) => (None, 80),
            Some("http") if is_loopback(&host) => {
                return Err(bad(
                    "is without TLS: use `https://`, or set `allow_http` for an issuer on this host",
                ));
            }
            Some("http") => return Err(bad("is without TLS: use `https://`")),
            Some(_) | None => return Err(bad("is not an address: write `https://host/path`")),
        };
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let port = authority.port_u16().unwrap_or(port);
        Ok(Self { host, port, authority: authority.to_string(), target, name })
    }

    /// Whether it is asked without TLS.
    pub const fn is_plain(&self) -> bool {
        self.name.is_none()
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Whom the certificate has to be for; `None` without TLS.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        self.name.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.name.is_some() { "https" } else { "http" };
        // Without the query: what is asked may be nobody's business.
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.authority)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// Whether the host is this one, by its address and not by what a name server says.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn https_is_an_address_and_http_only_on_this_host_where_it_was_asked_for() {
        for (text, allow_http, shown) in [
            ("https://id.example.org", false, "https://id.example.org/"),
            ("https://id.example.org:8443/a/b?c=d", false, "https://id.example.org:8443/a/b"),
            ("https://[::1]/x", false, "https://[::1]/x"),
            ("http://127.0.0.1:8080/x", true, "http://127.0.0.1:8080/x"),
            ("http://localhost/x", true, "http://localhost/x"),
            ("http://[::1]:80/x", true, "http://[::1]:80/x"),
        ] {
            assert_eq!(Address::parse(text, allow_http).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_safe_address_is_refused_with_what_to_write() {
        let tls = "is without TLS: use `https://`";
        let form = "is not an address: write `https://host/path`";
        for (text, allow_http, why) in [
            ("http://id.example.org/x", true, tls),
            ("http://127.0.0.1.example.org/x", true, tls),
            ("http://0.0.0.0/x", true, tls),
            (
                "http://127.0.0.1/x",
                false,
                "is without TLS: use `https://`, or set `allow_http` for an issuer on this host",
            ),
            ("https://user:secret@id.example.org/", false, "holds a user name or password: take it out"),
            ("ftp://id.example.org/", false, form),
            ("", false, form),
            ("https://", false, form),
            ("file:///etc/passwd", false, form),
            ("/keys", false, "names no host: write `https://host/path`"),
            ("https://a_b!c/", false, "names a host that no certificate can be for"),
        ] {
            let error = Address::parse(text, allow_http).unwrap_err().to_string();
            assert!(error.ends_with(&format!("` {why}")), "{text}: {error}");
        }
    }
}
