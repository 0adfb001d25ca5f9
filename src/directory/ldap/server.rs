//! Where a server is and how it is spoken to: its URL, read strictly, since the library panics on odd ones.

use std::path::PathBuf;

use rustls_pki_types::ServerName;

/// One server of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// The URL as configured, for messages.
    pub(super) url: String,
    pub(super) way: Way,
}

/// How to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A Unix socket on this host.
    Local(PathBuf),
    /// TCP.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        port: u16,
        security: Security,
    },
}

/// What protects a TCP connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// Nothing.
    Cleartext,
    /// TLS from the first byte, with the name that the certificate must have.
    Tls(ServerName<'static>),
    /// TLS after a request for it.
    StartTls(ServerName<'static>),
}

impl Server {
    /// Whether its certificate has to be judged.
    pub(super) const fn speaks_tls(&self) -> bool {
        match &self.way {
            Way::Local(_) | Way::Tcp { security: Security::Cleartext, .. } => false,
            Way::Tcp { security: Security::Tls(_) | Security::StartTls(_), .. } => true,
        }
    }

    /// Reads a URL; `starttls` is for `ldap://`.
    ///
    /// # Errors
    /// A message for the administrator.
    pub(super) fn parse(url: &str, starttls: bool, server_name: Option<&str>) -> Result<Self, String> {
        let shown = url.escape_debug();
        let way = |text: &str| {
            format!("`{shown}` {text}: write `ldaps://host`, `ldap://host` or `ldapi://%2Fpath`")
        };
        let (scheme, place) = url.split_once("://").ok_or_else(|| way("has no scheme"))?;
        let place = place.strip_suffix('/').unwrap_or(place);
        if place.is_empty() {
            return Err(way("names no host"));
        }
        if place.contains(['/', '?', '#', '@'])
            || place.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err(way("has more than a host and a port"));
        }
        let (secure, default_port) = match scheme {
            "ldapi" => {
                return Ok(Self {
                    url: url.to_owned(),
                    way: Way::Local(path(place).ok_or_else(|| way("names no path"))?),
                });
            }
            "ldaps" if starttls => {
                return Err(format!("`{shown}` is TLS already: take `starttls` out, or write `ldap://`"));
            }
            "ldaps" => (true, 636),
            "ldap" => (false, 389),
            _ => return Err(way("has an unknown scheme")),
        };
        let (host, port) = host_and_port(place).ok_or_else(|| way("has no good host and port"))?;
        let port = port.unwrap_or(default_port);
        let name = || {
            let name = server_name.unwrap_or(&host);
            ServerName::try_from(name.to_owned())
                .map_err(|_| format!("`{}` is not a name that a certificate can have", name.escape_debug()))
        };
        let security = match (secure, starttls) {
            (true, _) => Security::Tls(name()?),
            (false, true) => Security::StartTls(name()?),
            (false, false) => Security::Cleartext,
        };
        Ok(Self { url: url.to_owned(), way: Way::Tcp { host, port, security } })
    }

    /// Whether passwords and answers would go over a network unprotected.
    pub(super) fn is_cleartext(&self) -> bool {
        match &self.way {
            Way::Local(_) => false,
            Way::Tcp { security, .. } => *security == Security::Cleartext,
        }
    }

    /// Whether TLS is spoken.
    pub(super) fn is_tls(&self) -> bool {
        match &self.way {
            Way::Local(_) => false,
            Way::Tcp { security, .. } => *security != Security::Cleartext,
        }
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
fn host_and_port(place: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: std::net::Ipv6Addr = address.parse().ok()?;
        (address.to_string(), port)
    } else {
        let (host, _) = place.split_once(':').unwrap_or((place, ""));
        (host.to_owned(), place.get(host.len()..)?)
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return None,
        Some(port) => Some(port.parse().ok().filter(|&port| port != 0)?),
    };
    let is_bracketed = place.starts_with('[');
    (!host.is_empty() && host.contains(':') == is_bracketed).then_some((host, port))
}

/// The path in `%2F`-encoded form.
fn path(encoded: &str) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digit =
                |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            digit(rest.next())? << 4 | digit(rest.next())?
        } else {
            byte
        });
    }
    let path = String::from_utf8(bytes).ok()?;
    (path.starts_with('/') && !path.contains('\0')).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(url: &str, starttls: bool, host: &str, port: u16, security: Security) {
        let way = Way::Tcp { host: host.to_owned(), port, security };
        assert_eq!(Server::parse(url, starttls, None), Ok(Server { url: url.to_owned(), way }));
    }

    fn name(name: &str) -> ServerName<'static> {
        ServerName::try_from(name.to_owned()).unwrap()
    }

    #[test]
    fn urls_say_how_to_reach_a_server() {
        tcp("ldaps://dc1.example.org", false, "dc1.example.org", 636, Security::Tls(name("dc1.example.org")));
        tcp(
            "ldaps://dc1.example.org:3269/",
            false,
            "dc1.example.org",
            3269,
            Security::Tls(name("dc1.example.org")),
        );
        tcp("ldap://dc1", true, "dc1", 389, Security::StartTls(name("dc1")));
        tcp("ldap://127.0.0.1:1389", false, "127.0.0.1", 1389, Security::Cleartext);
        tcp("ldaps://[::1]", false, "::1", 636, Security::Tls(name("::1")));
        tcp("ldaps://[::1]:1636", false, "::1", 1636, Security::Tls(name("::1")));
        assert_eq!(
            Server::parse("ldapi://%2Frun%2Fldapi", true, None).unwrap().way,
            Way::Local("/run/ldapi".into())
        );
    }

    #[test]
    fn the_certificates_name_can_be_set() {
        let server = Server::parse("ldaps://10.0.0.1", false, Some("dc1.example.org")).unwrap();
        let security = Security::Tls(name("dc1.example.org"));
        assert_eq!(server.way, Way::Tcp { host: "10.0.0.1".to_owned(), port: 636, security });
    }

    #[test]
    fn odd_urls_are_refused() {
        for url in [
            "",
            "ldap",
            "ldap:",
            "ldap://",
            "ldap:///",
            "http://h",
            "ldaps://h/dc=x",
            "ldaps://h?x",
            "ldaps://u@h",
            "ldaps://h:",
            "ldaps://h:0",
            "ldaps://h:99999",
            "ldaps://:636",
            "ldaps://::1",
            "ldaps://[::1",
            "ldaps://[h]",
            "ldaps://[::1]x",
            "ldaps://h h",
            "ldaps://h\n",
            "ldaps://a:b:1",
            "ldapi://",
            "ldapi://x",
            "ldapi://%2",
            "ldapi://%zz",
            "ldapi://%2F%00",
            "ldaps://_a..b",
            "LDAPS://h",
        ] {
            assert!(Server::parse(url, false, None).is_err(), "{url}");
        }
        assert_eq!(
            Server::parse("ldap://", false, None),
            Err("`ldap://` names no host: write `ldaps://host`, `ldap://host` or `ldapi://%2Fpath`"
                .to_owned())
        );
    }

    #[test]
    fn starttls_on_tls_is_refused() {
        assert_eq!(
            Server::parse("ldaps://h", true, None),
            Err("`ldaps://h` is TLS already: take `starttls` out, or write `ldap://`".to_owned())
        );
    }
}
