//! Messages about unknown keys: the nearest known one is named first.

/// Turns serde's words about an unknown field into ours, with a suggestion; others stay as they are.
pub(super) fn with_nearest(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field ") else { return message.trim_end().to_owned() };
    let mut names = rest.split('`').skip(1).step_by(2);
    let Some(unknown) = names.next() else { return message.to_owned() };
    let known: Vec<&str> = names.collect();
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"));
    let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("unknown key `{unknown}`{nearest} (known here: {})", list.join(", "))
}
