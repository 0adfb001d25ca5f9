//! Masking: environment values, build arguments and credentials in addresses.

use super::ViewError;
use super::json::{self, Kept};

/// What stands in place of a value.
const MASK: &str = "***";

/// The deepest nesting that is looked through; the daemon's answers have ten levels.
const DEPTH: usize = 64;

/// The answer with all values of environment variables masked, in whichever of its objects they stand.
///
/// Not by the shape of each answer in each API version: wherever the member `Env` is a list, it is an environment.
pub(super) fn environment(text: &str) -> Result<String, ViewError> {
    within(text, 0, &|key, value| {
        Ok(match key {
            "Env" if value.starts_with('[') => Some(json::edit_list(value, variable)?),
            // The last step of a build, as an image keeps it.
            "ContainerConfig" if value.starts_with('{') => {
                let masked = environment(value)?;
                Some(json::edit_values(&masked, |key, value| {
                    (key == "Cmd").then(|| command(value)).transpose()
                })?)
            }
            _ => None,
        })
    })
}

/// An image's history with build arguments and environment values masked.
pub(super) fn history(text: &str) -> Result<String, ViewError> {
    json::edit_list(text, |step| {
        Ok(Kept::Changed(json::edit_values(step, |key, value| {
            if key != "CreatedBy" {
                return Ok(None);
            }
            let created_by: String = json::read(value)?;
            Ok(Some(unless_same(value, &created_by, &step_of_build(&created_by))))
        })?))
    })
}

/// The daemon's facts with user and password masked in every address in them.
pub(super) fn credentials(text: &str) -> Result<String, ViewError> {
    if text.starts_with('"') {
        let plain: String = json::read(text)?;
        return Ok(unless_same(text, &plain, &without_user(&plain)));
    }
    if text.starts_with('[') {
        return json::edit_list(text, |item| credentials(item).map(Kept::Changed));
    }
    if text.starts_with('{') {
        return json::edit_values(text, |_, value| credentials(value).map(Some));
    }
    Ok(text.to_owned())
}

/// Edits an object and everything in it; what `edit` replaces is not gone into.
fn within(
    text: &str,
    depth: usize,
    edit: &impl Fn(&str, &str) -> Result<Option<String>, ViewError>,
) -> Result<String, ViewError> {
    // Fail closed: what is not looked through is not shown.
    if depth > DEPTH {
        return Err(ViewError::internal());
    }
    let text_start = text.trim_start();
    if text_start.starts_with('{') {
        return json::edit_values(text, |key, value| match edit(key, value)? {
            Some(other) => Ok(Some(other)),
            None if value.starts_with(['{', '[']) => within(value, depth + 1, edit).map(Some),
            None => Ok(None),
        });
    }
    if text_start.starts_with('[') {
        return json::edit_list(text, |item| within(item, depth + 1, edit).map(Kept::Changed));
    }
    Ok(text.to_owned())
}

/// `NAME=value`, or the variable of a managed plugin, which is an object.
fn variable(item: &str) -> Result<Kept, ViewError> {
    if item.starts_with('{') {
        let masked = json::edit_values(item, |key, value| {
            Ok((key == "Value" && !json::is_null(value)).then(|| json::quoted(MASK)))
        })?;
        return Ok(Kept::Changed(masked));
    }
    let text: String = json::read(item)?;
    Ok(match text.split_once('=') {
        Some((name, _)) => Kept::Changed(json::quoted(&format!("{name}={MASK}"))),
        // The variable of the client's own environment of that name, without a value.
        None => Kept::AsIs,
    })
}

/// A command as a list of words, of which those of a build's bookkeeping are masked.
fn command(value: &str) -> Result<String, ViewError> {
    let words: Option<Vec<String>> = json::read(value)?;
    let words = words.unwrap_or_default();
    let joined = words.join(" ");
    let masked = step_of_build(&joined);
    Ok(if masked == joined { value.to_owned() } else { format!("[{}]", json::quoted(&masked)) })
}

/// One step of a build as builders describe it.
///
/// Values are written there without quotes, so where one ends cannot be told: what follows the first name is masked
/// up to the shell, or to the end.
fn step_of_build(text: &str) -> String {
    if let Some((before, arguments)) = text.split_once('|') {
        let (count, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
        if !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()) && is_start(before) {
            let shell = rest.rfind(" /bin/sh -c").and_then(|at| rest.get(at..)).unwrap_or_default();
            let name = rest.split_once('=').map_or("", |(name, _)| name);
            return format!("{before}|{count} {name}={MASK}{shell}");
        }
    }
    let (before, instruction) = match text.split_once("#(nop)") {
        Some((before, rest)) => {
            let instruction = rest.trim_start();
            (text.get(..text.len() - instruction.len()).unwrap_or(before), instruction)
        }
        None => ("", text),
    };
    for keyword in ["ENV ", "ARG "] {
        if let Some((name, _)) = instruction.strip_prefix(keyword).and_then(|rest| rest.split_once('=')) {
            return format!("{before}{keyword}{name}={MASK}");
        }
    }
    text.to_owned()
}

/// Whether build arguments can follow: at the beginning of a step, or behind the word of `BuildKit`.
fn is_start(before: &str) -> bool {
    matches!(before, "" | "RUN ")
}

/// `scheme://user:password@host` without user and password.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority = rest.split(['/', '?', '#', ' ', ',']).next().unwrap_or_default();
    // Some programs take a password with these marks in it, so everything before the last `@` of the word is one.
    let word = rest.split([' ', ',']).next().unwrap_or_default();
    let at = authority.rfind('@').or_else(|| word.rfind('@'));
    match at.and_then(|at| rest.get(at..)) {
        Some(from) => format!("{scheme}://{MASK}{from}"),
        None => text.to_owned(),
    }
}

/// The value as it was written, unless it was changed.
fn unless_same(written: &str, plain: &str, changed: &str) -> String {
    if plain == changed { written.to_owned() } else { json::quoted(changed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_values_are_masked_wherever_they_stand_and_nothing_else_is() {
        let text = r#"{"Env":"x","Config":{"Env":["A=1","B=","C","D=\u003c=2"],"Labels":{"Env":"A=1"}},"Spec":{"T":[{"C":{"Env":["S=x"]}}]},"E":{"Env":null}}"#;
        assert_eq!(
            environment(text).unwrap(),
            r#"{"Env":"x","Config":{"Env":["A=***","B=***","C","D=***"],"Labels":{"Env":"A=1"}},"Spec":{"T":[{"C":{"Env":["S=***"]}}]},"E":{"Env":null}}"#
        );
        let plugin = r#"{"Settings":{"Env":["A=1"]},"Config":{"Env":[{"Name":"A","Value":"1"},{"Name":"B","Value":null}]}}"#;
        assert_eq!(
            environment(plugin).unwrap(),
            r#"{"Settings":{"Env":["A=***"]},"Config":{"Env":[{"Name":"A","Value":"***"},{"Name":"B","Value":null}]}}"#
        );
    }

    #[test]
    fn what_is_nested_too_deeply_is_not_shown() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(70), "}".repeat(70));
        assert!(environment(&deep).is_err());
    }

    #[test]
    fn steps_of_a_build_keep_the_first_name_and_the_command() {
        for (step, masked) in [
            ("|1 TOKEN=hunter2 /bin/sh -c echo $TOKEN", "|1 TOKEN=*** /bin/sh -c echo $TOKEN"),
            ("RUN |2 A=x y B=z== /bin/sh -c true # buildkit", "RUN |2 A=*** /bin/sh -c true # buildkit"),
            ("|1 A=/bin/sh -c secret /bin/sh -c true", "|1 A=*** /bin/sh -c true"),
            ("|1 A=x /bin/bash -o pipefail -c true", "|1 A=***"),
            ("/bin/sh -c #(nop)  ENV MODE=prod SECRET=hunter2", "/bin/sh -c #(nop)  ENV MODE=***"),
            ("/bin/sh -c #(nop)  ARG TOKEN=dflt", "/bin/sh -c #(nop)  ARG TOKEN=***"),
            ("/bin/sh -c #(nop)  ARG TOKEN", "/bin/sh -c #(nop)  ARG TOKEN"),
            ("ENV A=b C=d", "ENV A=***"),
            ("ARG KEY=value", "ARG KEY=***"),
            ("/bin/sh -c ls | wc", "/bin/sh -c ls | wc"),
            ("/bin/sh -c #(nop)  CMD [\"sh\"]", "/bin/sh -c #(nop)  CMD [\"sh\"]"),
            ("RUN /bin/sh -c a |1 b=c # buildkit", "RUN /bin/sh -c a |1 b=c # buildkit"),
        ] {
            assert_eq!(step_of_build(step), masked);
        }
    }

    #[test]
    fn the_last_step_of_a_build_is_masked_in_the_image_it_made() {
        let text = r#"{"ContainerConfig":{"Env":["A=1"],"Cmd":["|1","T=x","/bin/sh","-c","true"]},"Config":{"Cmd":["|1","T=x"]}}"#;
        assert_eq!(
            environment(text).unwrap(),
            r#"{"ContainerConfig":{"Env":["A=***"],"Cmd":["|1 T=*** /bin/sh -c true"]},"Config":{"Cmd":["|1","T=x"]}}"#
        );
        let plain = r#"{"ContainerConfig":{"Cmd":["sh","-c","true"]}}"#;
        assert_eq!(environment(plain).unwrap(), plain);
    }

    #[test]
    fn users_and_passwords_in_addresses_are_masked() {
        for (address, masked) in [
            ("http://u:p@proxy:3128/", "http://***@proxy:3128/"),
            ("https://mirror.example.com/", "https://mirror.example.com/"),
            ("https://u:p/w@mirror.example.com/", "https://***@mirror.example.com/"),
            ("https://u@mirror/a@b", "https://***@mirror/a@b"),
            ("no address", "no address"),
        ] {
            assert_eq!(without_user(address), masked);
        }
        let text = r#"{"HttpProxy":"http://u:p@x","RegistryConfig":{"Mirrors":["https://u:p@m/"]},"N":1,"K":"\u003c"}"#;
        assert_eq!(
            credentials(text).unwrap(),
            r#"{"HttpProxy":"http://***@x","RegistryConfig":{"Mirrors":["https://***@m/"]},"N":1,"K":"\u003c"}"#
        );
    }
}
