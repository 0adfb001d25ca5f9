//! Settings of identity: `[identity.tls]`, and one `[[identity.jwt]]` an issuer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// What evidence is read how; the default reads the certificate's common name and takes no tokens.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Users of the gateway's socket.
    pub gateway: GatewayEvidence,
    /// Client certificates.
    pub tls: TlsSettings,
    /// Trusted issuers of tokens; none means that a token is refused.
    pub jwt: Vec<JwtSettings>,
}

/// How a user of the gateway's socket is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayEvidence {
    /// Put in front of the name that the host has for the uid, such as `host:`.
    pub user_prefix: String,
}

/// How a client certificate names its user.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// The field that holds the user's name.
    pub user_from: CertificateField,
    /// Put in front of the user's name, such as `cert:`.
    pub user_prefix: String,
    /// Organizational unit to group, such as `{ "Platform Team" = "developers" }`; other units give no group.
    pub unit_groups: BTreeMap<String, String>,
    /// The CAs that issue people's certificates, in PEM; none means every CA that dockerd trusts.
    ///
    /// The very CA that signed a certificate: an intermediate one, where one does it.
    pub issuer_file: Option<PathBuf>,
    /// What these CAs have taken back: a list of each, in PEM or DER.
    pub crl_files: Vec<PathBuf>,
}

/// A field of a certificate; a user's certificate holds exactly one of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateField {
    /// The subject's `CN`, which is also what dockerd reports.
    #[default]
    CommonName,
    /// The subject's `OU`.
    OrganizationalUnit,
    /// The subject alternative name of kind URI, such as a SPIFFE id.
    SanUri,
    /// The subject alternative name of kind email.
    SanEmail,
    /// The subject alternative name of kind DNS.
    SanDns,
}

impl CertificateField {
    /// What people call the field.
    pub const fn words(self) -> &'static str {
        match self {
            Self::CommonName => "common name (CN)",
            Self::OrganizationalUnit => "organizational unit (OU)",
            Self::SanUri => "alternative name of kind URI",
            Self::SanEmail => "alternative name of kind email",
            Self::SanDns => "alternative name of kind DNS",
        }
    }
}

/// One issuer of tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSettings {
    /// The token's `iss`, byte for byte.
    pub issuer: String,
    /// What the token's `aud` must hold: a name of this host, since clients send a token to every daemon.
    pub audience: String,
    /// The issuer's public keys, as a JSON Web Key Set in a file; this, `jwks_url` or `discovery`.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// Where the issuer serves its key set.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// Whether the issuer says where (OpenID Connect Discovery): then `issuer` is an address.
    #[serde(default)]
    pub discovery: bool,
    /// The CAs by which the issuer's server is trusted, in PEM; none means those of the host.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Whether an issuer on this very host may be asked without TLS.
    #[serde(default)]
    pub allow_http: bool,
    /// Ids (`jti`) of tokens that are refused, one a line.
    #[serde(default)]
    pub denied_ids_file: Option<PathBuf>,
    /// Accepted algorithms, all of one family: `RS256`, `RS384`, `RS512`, or `PS…`, or `ES256`, `ES384`, or `EdDSA`.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<String>,
    /// The claim that holds the user's name.
    #[serde(default = "default_username_claim")]
    pub username_claim: String,
    /// Put in front of the user's name, such as `oidc:`.
    #[serde(default)]
    pub username_prefix: String,
    /// The claim that holds the groups, a list of strings or one string; none means that tokens carry no groups.
    #[serde(default)]
    pub groups_claim: Option<String>,
    /// Put in front of each group, such as `oidc:`.
    #[serde(default)]
    pub groups_prefix: String,
    /// The longest time between `iat` (or now, where there is none) and `exp`.
    #[serde(default = "default_max_lifetime", with = "crate::config::duration")]
    pub max_lifetime: Duration,
}

fn default_algorithms() -> Vec<String> {
    vec!["RS256".to_owned()]
}

fn default_username_claim() -> String {
    "sub".to_owned()
}

const fn default_max_lifetime() -> Duration {
    Duration::from_hours(24)
}
