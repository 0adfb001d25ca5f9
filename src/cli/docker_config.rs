//! The docker command line's own configuration: one header of ours in it, and everything else left as it is.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::value::RawValue;

use crate::identity::TOKEN_HEADER;

/// The file in docker's directory.
pub(super) const FILE: &str = "config.json";

/// The member with the headers that go with every call.
const HEADERS: &str = "HttpHeaders";

/// Members as they stand in the file, each with its text untouched.
type Members = BTreeMap<String, Box<RawValue>>;

/// Docker's directory: the one that was named, else `DOCKER_CONFIG`, else `~/.docker`.
pub(super) fn directory(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    from("DOCKER_CONFIG")
        .or_else(|| from("HOME").map(|home| home.join(".docker")))
        .context("neither `DOCKER_CONFIG` nor `HOME` is set; name the directory with `--docker-config`")
}

/// Puts headers into the file's text in place of those of the same names, or takes them out.
pub(super) fn with_headers(text: &str, headers: &[(&str, Option<&str>)]) -> anyhow::Result<String> {
    let mut members: Members = if text.trim().is_empty() { Members::new() } else { object(text)? };
    let mut all: Members = match members.get(HEADERS) {
        None => Members::new(),
        Some(all) if all.get() == "null" => Members::new(),
        Some(all) => object(all.get()).with_context(|| format!("`{HEADERS}`"))?,
    };
    for (name, value) in headers {
        // Go sends every spelling of it under one name.
        all.retain(|other, _| !other.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            all.insert((*name).to_owned(), serde_json::value::to_raw_value(value)?);
        }
    }
    if all.is_empty() {
        members.remove(HEADERS);
    } else {
        members.insert(HEADERS.to_owned(), serde_json::value::to_raw_value(&all)?);
    }
    Ok(format!("{}\n", serde_json::to_string_pretty(&members)?))
}

/// What is in the file; nothing where there is none.
pub(super) fn read(directory: &Path) -> anyhow::Result<String> {
    let path = directory.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Writes the token into the file, or takes it out; the file's path. Whoever looks sees the old one or the new one.
pub(super) fn set(directory: &Path, token: Option<&str>) -> anyhow::Result<PathBuf> {
    let path = directory.join(FILE);
    let about = || format!("cannot change `{}`", path.display());
    let old = read(directory)?;
    if token.is_none() && old.is_empty() {
        return Ok(path);
    }
    let text = with_headers(&old, &[(TOKEN_HEADER, token)]).with_context(about)?;
    if !directory.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).with_context(about)?;
    }
    // A link stays one: what it leads to is replaced.
    let target = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let mut staged = target.clone().into_os_string();
    staged.push(format!(".{}.new", std::process::id()));
    let staged = PathBuf::from(staged);
    let written = write(&staged, &text).and_then(|()| fs::rename(&staged, &target));
    if let Err(error) = written {
        drop(fs::remove_file(&staged));
        return Err(error).with_context(about);
    }
    Ok(path)
}

/// For its owner alone, from the first moment on.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn object(text: &str) -> anyhow::Result<Members> {
    match serde_json::from_str(text) {
        Ok(members) => Ok(members),
        // Without the text, which holds passwords.
        Err(error) => {
            bail!("it is no JSON object (line {}, column {}); mend it first", error.line(), error.column())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const OTHERS: &str = r#"{"auths":{"r":{"auth":"c2VjcmV0"}},"n":1.50,"HttpHeaders":{"X-Meta":"a","x-wharfinger-token":"old"}}"#;

    fn members(text: &str) -> serde_json::Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_token_replaces_the_one_before_and_everything_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        fs::write(&file, OTHERS).unwrap();
        set(dir.path(), Some("new")).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(
            members(&text),
            serde_json::json!({
                "auths": {"r": {"auth": "c2VjcmV0"}}, "n": 1.5,
                "HttpHeaders": {"X-Meta": "a", "X-Wharfinger-Token": "new"},
            })
        );
        assert!(text.contains("1.50"), "{text}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        set(dir.path(), None).unwrap();
        let without = members(&fs::read_to_string(&file).unwrap());
        assert_eq!(without["HttpHeaders"], serde_json::json!({"X-Meta": "a"}));
    }

    #[test]
    fn where_there_is_nothing_it_is_made_and_taken_away_again() {
        let dir = tempfile::tempdir().unwrap();
        let docker = dir.path().join("a").join(".docker");
        set(&docker, None).unwrap();
        assert!(!docker.exists());
        set(&docker, Some("t")).unwrap();
        assert_eq!(fs::metadata(&docker).unwrap().permissions().mode() & 0o777, 0o700);
        set(&docker, None).unwrap();
        assert_eq!(fs::read_to_string(docker.join(FILE)).unwrap(), "{}\n");
    }

    #[test]
    fn a_link_stays_a_link_and_a_file_that_is_no_json_stays_as_it_is() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let real = elsewhere.path().join("dotfile");
        fs::write(&real, "{}").unwrap();
        std::os::unix::fs::symlink(&real, dir.path().join(FILE)).unwrap();
        set(dir.path(), Some("t")).unwrap();
        assert!(fs::symlink_metadata(dir.path().join(FILE)).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains("X-Wharfinger-Token"));

        for bad in ["{\"auths\": secret}", "[]", "{\"HttpHeaders\": [\"secret\"]}"] {
            fs::write(&real, bad).unwrap();
            let error = format!("{:#}", set(dir.path(), Some("t")).unwrap_err());
            assert!(error.contains("it is no JSON object") && !error.contains("secret"), "{error}");
            assert_eq!(fs::read_to_string(&real).unwrap(), bad);
        }
    }
}
