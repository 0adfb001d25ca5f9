//! Settings of the admin interface, `[admin]`, and of what people log in by, `[login]`.

use std::path::PathBuf;

use serde::Deserialize;

/// Where the command line finds the running daemon.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The socket; only root and the daemon's own user may talk to it.
    pub socket: PathBuf,
}

/// The default socket.
pub const SOCKET: &str = "/run/wharfinger/admin.sock";

impl Default for Settings {
    fn default() -> Self {
        Self { socket: PathBuf::from(SOCKET) }
    }
}

/// How people on this host come to a token; a person elsewhere says it on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoginSettings {
    /// Where passwords are taken, from everybody on this host; only with a directory that checks passwords.
    pub socket: PathBuf,
    /// The issuer at which people log in, with OpenID Connect Discovery and the device flow.
    pub issuer: Option<String>,
    /// What the command line is called there.
    pub client_id: Option<String>,
    /// What is asked for there.
    pub scope: String,
    /// Whom the token is to be for, where the issuer is told that (RFC 8707).
    pub resource: Option<String>,
    /// Which of the issuer's tokens is shown to the daemon.
    pub token: LoginToken,
    /// The CAs by which the issuer's server is trusted, in PEM; none means those of the host.
    pub ca_file: Option<PathBuf>,
    /// Whether an issuer on this very host may be asked without TLS.
    pub allow_http: bool,
}

/// Which of an issuer's tokens is shown to the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LoginToken {
    /// The ID token, whose audience is the client id
    #[default]
    IdToken,
    /// The access token, where it is a JWT
    AccessToken,
}

/// The default socket of logins.
pub const LOGIN_SOCKET: &str = "/run/wharfinger/login.sock";

impl Default for LoginSettings {
    fn default() -> Self {
        Self {
            socket: PathBuf::from(LOGIN_SOCKET),
            issuer: None,
            client_id: None,
            scope: "openid profile".to_owned(),
            resource: None,
            token: LoginToken::default(),
            ca_file: None,
            allow_http: false,
        }
    }
}
