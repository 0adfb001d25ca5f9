//! The device flow (RFC 8628): the person logs in at the issuer with any browser, and we wait for the token.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::admin::LoginToken as Kind;
use crate::web::{Address, Answer, Web, WebError};

/// The grant's name (RFC 8628 §3.4).
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The pause between two questions where the issuer says none, and what `slow_down` adds (RFC 8628 §3.2, §3.5).
const PAUSE: Duration = Duration::from_secs(5);

/// The longest that is waited for a person.
const PATIENCE: Duration = Duration::from_mins(30);

/// The issuer, and what it is asked for.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) scope: String,
    pub(super) resource: Option<String>,
    pub(super) kind: Kind,
    pub(super) allow_http: bool,
}

#[derive(Deserialize)]
struct Description {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct Started {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct Granted {
    id_token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    error: String,
    error_description: Option<String>,
}

/// Lets the person log in, told by `out` where; the token. `sleep` waits.
pub(super) async fn token(
    web: &Web,
    ask: &Ask,
    out: &mut impl Write,
    sleep: impl AsyncFn(Duration),
) -> anyhow::Result<String> {
    let (token_endpoint, device_endpoint) = discover(web, ask).await?;
    let mut form = vec![("client_id", ask.client_id.as_str()), ("scope", ask.scope.as_str())];
    form.extend(ask.resource.as_deref().map(|resource| ("resource", resource)));
    let answer = web.post(&device_endpoint, &form).await?;
    let started: Started = read(&answer).context("the issuer starts no login")?;
    invite(&started, out)?;
    let mut form =
        vec![("grant_type", GRANT), ("device_code", &started.device_code), ("client_id", &ask.client_id)];
    form.extend(ask.resource.as_deref().map(|resource| ("resource", resource)));
    let mut pause =
        started.interval.map_or(PAUSE, Duration::from_secs).clamp(Duration::from_secs(1), PATIENCE);
    let (mut waited, patience) = (Duration::ZERO, Duration::from_secs(started.expires_in).min(PATIENCE));
    while waited < patience {
        sleep(pause).await;
        waited += pause;
        let answer = match web.post(&token_endpoint, &form).await {
            Ok(answer) => answer,
            // The issuer may be busy: ask less often (RFC 8628 §3.5).
            Err(WebError::Deadline(..) | WebError::Unreachable(..) | WebError::Broken(..)) => {
                pause = pause.saturating_mul(2);
                continue;
            }
            Err(error @ (WebError::Address { .. } | WebError::Trust(_) | WebError::TooLong(_))) => {
                bail!(error)
            }
        };
        if answer.status == 200 {
            return chosen(read(&answer)?, ask.kind);
        }
        match failed(&answer)?.error.as_str() {
            "authorization_pending" => {}
            "slow_down" => pause += PAUSE,
            "access_denied" => bail!("the login was refused at the issuer"),
            "expired_token" => break,
            _ => bail!("the issuer gives no token: {}", why(&answer)),
        }
    }
    bail!("nobody logged in at the issuer in time; run `wharfinger login` again")
}

async fn discover(web: &Web, ask: &Ask) -> anyhow::Result<(Address, Address)> {
    let at = format!("{}/.well-known/openid-configuration", ask.issuer.trim_end_matches('/'));
    let answer = web.get(&Address::parse(&at, ask.allow_http)?).await?;
    let described: Description = read(&answer).with_context(|| format!("`{at}` describes no issuer"))?;
    // A token of another issuer would be refused by the daemon, and somebody else would have the login.
    if described.issuer != ask.issuer {
        bail!("`{at}` describes another issuer, `{}`", described.issuer.escape_debug());
    }
    let device = described
        .device_authorization_endpoint
        .context("the issuer has no device flow; switch it on there for this client")?;
    let address = |text: &str| Address::parse(text, ask.allow_http);
    Ok((address(&described.token_endpoint)?, address(&device)?))
}

/// Tells the person where to go; what the issuer says goes to a terminal, so nothing invisible may be in it.
fn invite(started: &Started, out: &mut impl Write) -> anyhow::Result<()> {
    let at = started.verification_uri.escape_debug();
    writeln!(out, "open {at} and enter the code {}", started.user_code.escape_debug())?;
    if let Some(whole) = &started.verification_uri_complete {
        writeln!(out, "or open {}", whole.escape_debug())?;
    }
    out.flush().map_err(Into::into)
}

fn chosen(granted: Granted, kind: Kind) -> anyhow::Result<String> {
    let (token, what) = match kind {
        Kind::IdToken => (granted.id_token, "ID token; ask for the scope `openid`"),
        Kind::AccessToken => (granted.access_token, "access token"),
    };
    let token = token.with_context(|| format!("the issuer gave no {what}"))?;
    let is_jwt = token.split('.').count() == 3
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_jwt {
        bail!("the issuer's token is no signed JWT; use `--token id-token`");
    }
    Ok(token)
}

fn read<T: serde::de::DeserializeOwned>(answer: &Answer) -> anyhow::Result<T> {
    if answer.status != 200 {
        bail!("{}", why(answer));
    }
    // Not what serde says, which quotes the text: it may be a token.
    serde_json::from_slice(&answer.body).ok().context("the answer is not the JSON that was expected")
}

fn failed(answer: &Answer) -> anyhow::Result<Failed> {
    serde_json::from_slice(&answer.body)
        .ok()
        .with_context(|| format!("the issuer answered with status {}", answer.status))
}

/// What the issuer says about a failure.
fn why(answer: &Answer) -> String {
    match failed(answer) {
        Ok(Failed { error, error_description }) => {
            let more = error_description.map(|more| format!(" ({more})")).unwrap_or_default();
            format!("{error}{more}").escape_debug().to_string()
        }
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use serde_json::{Value, json};

    use super::*;

    /// An issuer that answers questions for the token one after the other as told.
    fn issuer(description: impl Fn(&str) -> Value + Send + 'static, answers: Vec<(u16, Value)>) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let base = url.clone();
        std::thread::spawn(move || {
            let mut answers = answers.into_iter();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = vec![0; 4096];
                let mut read = 0;
                let text = loop {
                    read += stream.read(&mut request[read..]).unwrap();
                    let text = String::from_utf8_lossy(&request[..read]).into_owned();
                    if text.starts_with("GET") || text.contains("client_id=cli") {
                        break text;
                    }
                };
                let (status, body) = if text.starts_with("GET") {
                    (200, description(&base))
                } else if text.starts_with("POST /device") {
                    assert!(text.ends_with("client_id=cli&scope=openid%20groups&resource=host-1"), "{text}");
                    (
                        200,
                        json!({"device_code": "d", "user_code": "AB\u{1b}CD", "verification_uri": base,
                        "expires_in": 60, "interval": 2}),
                    )
                } else {
                    answers.next().unwrap_or((500, json!("over")))
                };
                let body = body.to_string();
                drop(write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
            }
        });
        url
    }

    fn described(base: &str) -> Value {
        json!({"issuer": base, "token_endpoint": format!("{base}/token"),
            "device_authorization_endpoint": format!("{base}/device")})
    }

    async fn run(issuer: String, kind: Kind) -> (Result<String, String>, String, Vec<u64>) {
        let ask = Ask {
            issuer,
            client_id: "cli".to_owned(),
            scope: "openid groups".to_owned(),
            resource: Some("host-1".to_owned()),
            kind,
            allow_http: true,
        };
        let (mut out, slept) = (Vec::new(), RefCell::new(Vec::new()));
        let web = Web::new(None).unwrap();
        let token =
            token(&web, &ask, &mut out, async |pause: Duration| slept.borrow_mut().push(pause.as_secs()))
                .await;
        (token.map_err(|error| format!("{error:#}")), String::from_utf8(out).unwrap(), slept.into_inner())
    }

    fn error(code: &str) -> (u16, Value) {
        (400, json!({ "error": code }))
    }

    #[tokio::test]
    async fn the_issuer_is_asked_as_often_as_it_wants_until_the_person_has_logged_in() {
        let granted = json!({"id_token": "a.b.c", "access_token": "opaque"});
        let answers = vec![
            error("authorization_pending"),
            error("slow_down"),
            error("authorization_pending"),
            (200, granted),
        ];
        let url = issuer(described, answers);
        let (token, told, slept) = run(url.clone(), Kind::IdToken).await;
        assert_eq!(token, Ok("a.b.c".to_owned()));
        assert_eq!(told, format!("open {url} and enter the code AB\\u{{1b}}CD\n"));
        assert_eq!(slept, [2, 2, 7, 7]);
    }

    #[tokio::test]
    async fn whatever_ends_a_login_is_said() {
        let over = "nobody logged in at the issuer in time; run `wharfinger login` again";
        let opaque = json!({"access_token": "opaque"});
        for (answers, kind, message) in [
            (vec![error("access_denied")], Kind::IdToken, "the login was refused at the issuer"),
            (vec![error("expired_token")], Kind::IdToken, over),
            (vec![error("authorization_pending"); 99], Kind::IdToken, over),
            (
                vec![error("invalid_\u{7}client")],
                Kind::IdToken,
                "the issuer gives no token: invalid_\\u{7}client",
            ),
            (
                vec![(200, opaque.clone())],
                Kind::IdToken,
                "the issuer gave no ID token; ask for the scope `openid`",
            ),
            (
                vec![(200, opaque)],
                Kind::AccessToken,
                "the issuer's token is no signed JWT; use `--token id-token`",
            ),
            (vec![(502, json!("gone"))], Kind::IdToken, "the issuer answered with status 502"),
        ] {
            assert_eq!(run(issuer(described, answers), kind).await.0, Err(message.to_owned()));
        }
    }

    #[tokio::test]
    async fn another_issuer_and_one_without_the_flow_are_told_apart() {
        let url = issuer(|base| json!({"issuer": base, "token_endpoint": base}), vec![]);
        assert_eq!(
            run(url, Kind::IdToken).await.0,
            Err("the issuer has no device flow; switch it on there for this client".to_owned())
        );
        let url = issuer(|base| json!({"issuer": "https://evil", "token_endpoint": base}), vec![]);
        assert_eq!(
            run(url.clone(), Kind::IdToken).await.0,
            Err(format!("`{url}/.well-known/openid-configuration` describes another issuer, `https://evil`"))
        );
    }
}
