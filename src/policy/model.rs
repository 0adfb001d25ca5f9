//! The model file: read only to make sure that it says what the shipped one says.

use std::collections::BTreeMap;

use super::{MODEL, PolicyError, error::shown};

/// Accepts a model that means the same as the shipped one: order, blanks and comments are free.
///
/// Casbin itself is only ever given the shipped text.
pub(super) fn check(text: &str) -> Result<(), PolicyError> {
    let expected = definitions(MODEL).map_err(PolicyError::Model)?;
    let given = definitions(text).map_err(PolicyError::Model)?;
    for ((section, key), value) in &expected {
        match given.get(&(section.clone(), key.clone())) {
            Some(same) if same == value => {}
            Some(_) => {
                return Err(PolicyError::Model(format!("`{key}` in [{section}] is not what is shipped")));
            }
            None => return Err(PolicyError::Model(format!("`{key}` in [{section}] is missing"))),
        }
    }
    match given.keys().find(|key| !expected.contains_key(*key)) {
        Some((section, key)) => {
            Err(PolicyError::Model(format!("`{}` in [{}] is not known", shown(key), shown(section))))
        }
        None => Ok(()),
    }
}

type Definitions = BTreeMap<(String, String), String>;

/// The values by section and key, without blanks.
fn definitions(text: &str) -> Result<Definitions, String> {
    let mut section = String::new();
    let mut found = Definitions::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.trim().clone_into(&mut section);
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(format!("line {} is neither a [section] nor `key = value`", number + 1));
        };
        let value = value.chars().filter(|c| !c.is_whitespace()).collect();
        let key = key.trim().to_owned();
        if found.insert((section.clone(), key.clone()), value).is_some() {
            return Err(format!("`{}` in [{}] stands twice", shown(&key), shown(&section)));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{MODEL, check};

    fn message(text: &str) -> String {
        check(text).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_model_is_accepted_whatever_its_blanks_comments_and_order() {
        check(MODEL).unwrap();
        let (first, rest) = MODEL.split_once("[policy_definition]").unwrap();
        check(&format!("# mine\n[policy_definition]{}\n{first}", rest.replace(" && ", "  &&  "))).unwrap();
    }

    #[test]
    fn a_model_that_means_something_else_is_refused_with_what_differs() {
        let fixed = "; the model is fixed, roles and permissions belong in policy.csv";
        for (text, expected) in [
            (MODEL.replace("g(r.sub, p.sub) && ", ""), "`m` in [matchers] is not what is shipped"),
            (
                MODEL.replace(" && !some(where (p.eft == deny))", ""),
                "`e` in [policy_effect] is not what is shipped",
            ),
            (MODEL.replace("g2 = _, _", ""), "`g2` in [role_definition] is missing"),
            (format!("{MODEL}\nm2 = true"), "`m2` in [matchers] is not known"),
            (format!("{MODEL}\nm = true"), "`m` in [matchers] stands twice"),
            (String::new(), "`m` in [matchers] is missing"),
            (format!("{MODEL}\nhello"), "line 30 is neither a [section] nor `key = value`"),
        ] {
            assert_eq!(message(&text), format!("the role model is not accepted: {expected}{fixed}"));
        }
    }
}
