//! Odd spellings of a request: of its target, of its headers, of its body.

use super::request::Request;

/// Every spelling of a plain request, each with its name.
pub(super) fn of(plain: &Request) -> Vec<(String, Request)> {
    let mut all = targets(plain);
    all.extend(headers(plain));
    let bodies = if plain.body.first() == Some(&b'{') { bodies(plain) } else { forms(plain) };
    all.extend(mixed(plain, &bodies));
    all.extend(bodies);
    all
}

/// Odd bodies under odd heads: not all pairs, but each body with a few other targets and headers.
fn mixed(plain: &Request, bodies: &[(String, Request)]) -> Vec<(String, Request)> {
    let targets = targets(plain);
    let mut all = Vec::new();
    for (at, (body, request)) in bodies.iter().enumerate() {
        let (target, other) = &targets[at * 7 % targets.len()];
        let request = Request { target: other.target.clone(), ..request.clone() };
        let headers = headers(&request);
        let (header, request) = &headers[at * 11 % headers.len()];
        all.push((format!("{target}, {header}, {body}"), request.clone()));
    }
    all
}

fn targets(plain: &Request) -> Vec<(String, Request)> {
    let rest = plain.target.trim_start_matches("/v1.41").trim_start_matches("/v1.22");
    let version = plain.target.strip_suffix(rest).unwrap();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let evil = query.replace("made", "evil").replace("two", "evil").replace("new", "evil");
    [
        rest.to_owned(),
        format!("/v1.24{rest}"),
        format!("/v1.12{rest}"),
        format!("/v01.041{rest}"),
        format!("/v1.41.0{rest}"),
        format!("/v1.41.{rest}"),
        format!("/v1..41{rest}"),
        format!("/v.1.41{rest}"),
        format!("/v1.99{rest}"),
        format!("/{}{rest}", percent("v1.41")),
        format!("{version}/{}?{query}", percent(&path.replacen('/', "", 1))),
        format!("{version}{}?{query}", percent(path)),
        format!("{version}{}?{query}", path.replace('/', "%2f")),
        format!("{version}{}?{query}", path.replace('o', "%6F")),
        format!("{version}{}?{query}", path.replace('o', "%256F")),
        format!("/{version}{rest}"),
        format!("{version}/.{rest}"),
        format!("{version}/x/..{rest}"),
        format!("{version}/%2e%2e{version}{rest}"),
        format!("{version}{path}/?{query}"),
        format!("{version}{}?{query}", path.to_uppercase()),
        format!("http://docker{version}{rest}"),
        format!("HTTPS://a:b@docker:1{version}{rest}"),
        format!("unix://x{version}{rest}"),
        format!("unix:{version}{rest}"),
        format!("http://docker/{}{rest}", percent("v1.41")),
        format!("{version}{path}#?{query}"),
        format!("{version}{path}?{query}#%zz"),
        format!("{version}{path}?{query}&x=#%zz"),
        format!("{version}{path}?{query}&x=/auth"),
        format!("{version}{path}?{query}&x=%zz"),
        format!("{version}{path}?x=1;y=2&{query}"),
        format!("{version}{path}?{query}&{evil}"),
        format!("{version}{path}?{evil}&{query}"),
        format!("{version}{path}?x=%26{}&{query}", evil.replace('=', "%3D")),
        format!("{version}{path}?{}", query.replace('e', "%65")),
        format!("{version}{path}?{}", query.replace('=', "%3d")),
        format!("{version}{path}?{}", query.to_uppercase()),
        format!("{version}{path}?{query}&brandnew=1"),
    ]
    .into_iter()
    .map(|target| (format!("target `{target}`"), Request { target, ..plain.clone() }))
    .collect()
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |escaped, byte| format!("{escaped}%{byte:02x}"))
}

fn headers(plain: &Request) -> Vec<(String, Request)> {
    let mut all: Vec<(String, Request)> = Vec::new();
    let mut add = |name: &str, change: &dyn Fn(&mut Request)| {
        let mut request = plain.clone();
        change(&mut request);
        all.push((format!("headers: {name}"), request));
    };
    for kind in [
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/json;",
        "application/json, text/plain",
        "application/json; =",
        "text/json",
        "text/plain",
        "application/octet-stream",
        "application/x-tar",
        "",
    ] {
        add(&format!("type `{kind}`"), &|request| request.set("Content-Type", kind));
    }
    for (first, last) in [
        ("application/json", "text/plain"),
        ("text/plain", "application/json"),
        ("application/json", "application/x-www-form-urlencoded"),
        ("application/x-www-form-urlencoded", "application/json"),
    ] {
        add(&format!("types `{first}`, `{last}`"), &|request| {
            request.set("Content-Type", first);
            request.headers.push(("Content-Type", last.to_owned()));
        });
    }
    add("chunked", &chunk);
    add("chunked, and length 0 before", &|request| {
        chunk(request);
        request.headers.insert(0, ("Content-Length", "0".to_owned()));
    });
    add("chunked, and length 0 after", &|request| {
        chunk(request);
        request.headers.push(("content-length", "0".to_owned()));
    });
    add("length 0", &|request| request.set("Content-Length", "0"));
    add("no length", &|request| request.set("Content-Length", ""));
    add("two lengths", &|request| request.headers.push(("Content-Length", "0".to_owned())));
    add("HTTP/1.0", &|request| request.protocol = "HTTP/1.0");
    add("expects 100", &|request| request.headers.push(("Expect", "100-continue".to_owned())));
    add("other method in a header", &|request| {
        request.headers.push(("X-HTTP-Method-Override", "GET".to_owned()));
    });
    add("compressed, it says", &|request| request.headers.push(("Content-Encoding", "gzip".to_owned())));
    add("lower case method", &|request| {
        request.method = if request.method == "POST" { "post" } else { "delete" }
    });
    all
}

fn chunk(request: &mut Request) {
    let body = std::mem::take(&mut request.body);
    if !body.is_empty() {
        request.body = format!("{:x}\r\n", body.len()).into_bytes();
        request.body.extend(&body);
        request.body.extend(b"\r\n");
    }
    request.body.extend(b"0\r\n\r\n");
    request.set("Content-Length", "");
    request.headers.push(("Transfer-Encoding", "chunked".to_owned()));
}

/// Bodies of calls that take no JSON: a form's values come before the query's.
fn forms(plain: &Request) -> Vec<(String, Request)> {
    const FORM: &str = "application/x-www-form-urlencoded";
    const PARTS: &str = "multipart/form-data; boundary=b";
    let form = "repo=evil&tag=9&name=evil&signal=STOP&container=idle&force=1&t=evil:9";
    let part = "--b\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nevil:9\r\n--b--\r\n";
    let mut all = Vec::new();
    for (first, last, body) in [
        (FORM, "", form.to_owned()),
        (FORM, "application/x-tar", form.to_owned()),
        (FORM, "application/json", form.to_owned()),
        ("Application/X-WWW-Form-Urlencoded; charset=utf-8", "", form.to_owned()),
        (FORM, "application/x-tar", format!("{form}&x={}", "x".repeat(8192))),
        (PARTS, "", part.to_owned()),
        (PARTS, "application/x-tar", part.to_owned()),
        (PARTS, "application/x-tar", format!("{}{part}", "\r\n".repeat(4096))),
    ] {
        let mut request = plain.with_body(body);
        request.set("Content-Type", first);
        if !last.is_empty() {
            request.headers.push(("Content-Type", last.to_owned()));
        }
        all.push((format!("form `{first}`, then `{last}`"), request.clone()));
        chunk(&mut request);
        all.push((format!("form `{first}`, then `{last}`, chunked"), request));
    }
    for body in ["{}", r#"{"Image":"busybox"}"#, "null", "x"] {
        let mut request = plain.with_body(body);
        request.set("Content-Type", "application/json");
        all.push((format!("JSON `{body}`"), request));
    }
    let mut hidden = plain.clone();
    let second = Request::new("POST", "/images/busybox/tag?repo=evil&tag=9", "");
    hidden.set("Connection", "");
    hidden.set("Content-Length", "0");
    hidden.body = second.bytes();
    all.push(("a second request behind it".to_owned(), hidden));
    all
}

fn bodies(plain: &Request) -> Vec<(String, Request)> {
    let text = String::from_utf8(plain.body.clone()).unwrap();
    let host = text.split_once(r#""HostConfig":"#).map(|(_, host)| host.strip_suffix('}').unwrap());
    let inner =
        host.map_or("", |host| host.strip_prefix('{').and_then(|host| host.strip_suffix('}')).unwrap());
    let harmless = r#"{"Image":"busybox","Cmd":["true"],"Name":"new","HostConfig":{}}"#;
    let open = text.strip_suffix('}').unwrap();
    let rest = text.strip_prefix('{').unwrap();
    let long_s = |text: &str| {
        text.replace("stConfig", "ſtConfig").replace("Binds", "Bindſ").replace("Mounts", "Mountſ")
    };
    let mut all: Vec<String> = vec![
        text.to_lowercase(),
        keys(&text, str::to_lowercase),
        keys(&text, str::to_uppercase),
        long_s(&text),
        long_s(&text).replace('ſ', r"\u017f"),
        text.replace("NetworkMode", "NetworK\u{212a}ode").replace("Mask", "Mas\u{212a}"),
        keys(&text, |key| {
            key.chars().fold(String::new(), |text, c| format!("{text}\\u{:04x}", u32::from(c)))
        }),
        format!("{open},\"HostConfig\":{{}}}}"),
        format!("{open},\"HostConfig\":null}}"),
        format!("{open},\"hostConfig\":{{}}}}"),
        format!("{{\"HostConfig\":{{}},{}", rest),
        format!("{{\"HostConfig\":null,{}", rest),
        format!("{{\"hostconfig\":{{\"Binds\":[]}},{}", rest),
        text.replace(r#""HostConfig":{"#, r#""HostConfig":{"Privileged":false,"Binds":null,"CapAdd":[],"#)
            .replace(",}", "}"),
        text.replace("}}", r#","Privileged":null,"Binds":[""],"Mounts":[{}]}}"#).replace("{,", "{"),
        text.replace("}}", r#","Privileged":null,"binds":null,"mounts":[{}]}}"#).replace("{,", "{"),
        format!("{text}}}"),
        format!("{text}]]xyz"),
        format!("{text}{harmless}"),
        format!("{text}\n{{}}"),
        format!("{text}garbage"),
        format!("{harmless}{text}"),
        format!("\u{feff}{text}"),
        format!(" \r\n\t{text}\n\n"),
        format!("[{text}]"),
        format!("{open},\"Labels\":{{\"a\":\"\\ud800\"}}}}"),
        format!("{open},\"Labels\":{{\"a\":\"1\",\"a\":\"2\",\"A\":\"3\"}}}}"),
        format!("{open},\"BrandNew\":1e9999}}"),
        format!("{open},\"BrandNew\":{}1{}}}", "[".repeat(600), "]".repeat(600)),
        format!("{open},\"BrandNew\":{}1{}}}", "[".repeat(100), "]".repeat(100)),
        format!("{open},\"BrandNew\":{{\"Privileged\":true}}}}"),
        format!("{open},\"Env\":[\"{}\"]}}", "x".repeat(1 << 20)),
        format!("{}{text}", " ".repeat(1 << 20)),
        format!("{}{text}", " ".repeat((1 << 20) - 1 - text.len())),
        format!("{}{text}", " ".repeat(5 << 20)),
        text.replace("true", "\"true\""),
        text.replace("true", "1"),
        String::new(),
        "null".to_owned(),
        "{}".to_owned(),
    ];
    if host.is_some() {
        let top = if inner.is_empty() { String::new() } else { format!(",{inner}") };
        all.push(format!(r#"{{"Image":"busybox","Cmd":["true"]{top}}}"#));
        all.push(format!(r#"{{"Image":"busybox","Cmd":["true"],"HostConfig":null{top}}}"#));
        all.push(format!(r#"{{"Image":"busybox","Cmd":["true"],"HostConfig":{{}}{top}}}"#));
        all.push(text.replace(r#""Image":"busybox""#, r#""Image":"sha256:busybox""#));
    }
    let mut requests: Vec<(String, Request)> = all
        .into_iter()
        .map(|body| (format!("body `{}` ({} bytes)", shown(&body), body.len()), plain.with_body(body)))
        .collect();
    let mut broken = text.clone().into_bytes();
    let at = broken.len() - 1;
    broken.splice(at..at, b",\"Labels\":{\"a\":\"\xff\"}".iter().copied());
    requests.push(("body: broken UTF-8".to_owned(), plain.with_body(broken)));
    let mut wide = plain.with_body(text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    wide.set("Content-Type", "application/json; charset=utf-16");
    requests.push(("body: UTF-16".to_owned(), wide));
    for size in [1 << 20, 5 << 20] {
        let mut request = plain.with_body(format!("{}{text}", " ".repeat(size)));
        chunk(&mut request);
        requests.push((format!("body: chunked, after {size} spaces"), request));
    }
    requests
}

/// Changes every key of a JSON text: what stands in quotes before a colon.
fn keys(text: &str, change: impl Fn(&str) -> String) -> String {
    let parts: Vec<&str> = text.split('"').collect();
    let mut changed = String::new();
    for (at, part) in parts.iter().enumerate() {
        let is_key = at % 2 == 1 && parts[at + 1].starts_with(':');
        changed.push_str(&if is_key { change(part) } else { (*part).to_owned() });
        changed.push_str(if at + 1 < parts.len() { "\"" } else { "" });
    }
    changed
}

fn shown(text: &str) -> String {
    text.trim_start().chars().take(120).collect()
}
