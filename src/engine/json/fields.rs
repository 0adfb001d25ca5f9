//! The members of an object as Go fills a struct from them: whatever the case of their keys.

use super::{Json, Object};
use crate::engine::{Refusal, RefusalCode};

/// The fields of a struct-typed object, and where in the body it stands.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    /// Sorted by folded key, no two of which are equal.
    members: Vec<Member<'a>>,
    path: String,
    known: &'static [&'static str],
}

#[derive(Clone, Debug)]
struct Member<'a> {
    folded: String,
    key: &'a str,
    value: &'a Json,
}

impl<'a> Fields<'a> {
    pub(super) fn read(
        object: &'a Object,
        path: String,
        known: &'static [&'static str],
    ) -> Result<Self, Refusal> {
        let mut members: Vec<Member<'a>> =
            object.entries().map(|(key, value)| Member { folded: fold(key), key, value }).collect();
        members.sort_unstable_by(|a, b| a.folded.cmp(&b.folded));
        let fields = Self { members, path, known };
        for [first, second] in fields.members.array_windows() {
            if first.folded == second.folded {
                // Go merges the two or lets the later one win, depending on the field's type.
                let field = fields.path_of(second.key);
                return Err(ambiguous(format!(
                    "the field `{field}` of the body is given twice; give it once"
                )));
            }
        }
        for member in &fields.members {
            if !member.key.is_ascii()
                && let Some(field) = fields.known_as(&member.folded)
            {
                let field = fields.path_of(field);
                return Err(ambiguous(format!("the body has a look-alike of the field `{field}`")));
            }
        }
        Ok(fields)
    }

    /// The value of a field; [`Json::Null`] if it is absent.
    pub(crate) fn get(&self, name: &str) -> &'a Json {
        let folded = fold(name);
        let found = self.members.binary_search_by(|member| member.folded.as_str().cmp(&folded));
        found.ok().and_then(|at| self.members.get(at)).map_or(&Json::Null, |member| member.value)
    }

    /// The fields that are not known and that say something: their value is not a zero value.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = (&'a str, &'a Json)> {
        self.members
            .iter()
            .filter(|member| !member.value.is_zero() && self.known_as(&member.folded).is_none())
            .map(|member| (member.key, member.value))
    }

    /// Where a field stands in the body, such as `HostConfig.Binds`.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A string field.
    pub(crate) fn text(&self, name: &str) -> Result<&'a str, Refusal> {
        self.get(name).as_text(&self.path_of(name))
    }

    /// A boolean field.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        self.get(name).as_bool(&self.path_of(name))
    }

    /// A whole-number field.
    pub(crate) fn number(&self, name: &str) -> Result<i64, Refusal> {
        self.get(name).as_i64(&self.path_of(name))
    }

    /// A field that is an array of strings.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&'a str>, Refusal> {
        self.get(name).as_texts(&self.path_of(name))
    }

    /// A field that is an array of strings or one string.
    pub(crate) fn texts_or_one(&self, name: &str) -> Result<Vec<&'a str>, Refusal> {
        self.get(name).as_texts_or_one(&self.path_of(name))
    }

    /// A field that is an array.
    pub(crate) fn list(&self, name: &str) -> Result<&'a [Json], Refusal> {
        self.get(name).as_list(&self.path_of(name))
    }

    /// A field that is a map: its keys count exactly.
    pub(crate) fn map(&self, name: &str) -> Result<&'a Object, Refusal> {
        self.get(name).as_object(&self.path_of(name))
    }

    /// A field that is a map of strings.
    pub(crate) fn text_map(&self, name: &str) -> Result<Vec<(&'a str, &'a str)>, Refusal> {
        self.get(name).as_text_map(&self.path_of(name))
    }

    /// A field that is a struct.
    pub(crate) fn within(&self, name: &str, known: &'static [&'static str]) -> Result<Fields<'a>, Refusal> {
        self.get(name).as_fields(&self.path_of(name), known)
    }

    /// A field that is an array of structs.
    pub(crate) fn each(
        &self,
        name: &str,
        known: &'static [&'static str],
    ) -> Result<Vec<Fields<'a>>, Refusal> {
        let path = self.path_of(name);
        let items = self.get(name).as_list(&path)?;
        items.iter().enumerate().map(|(at, item)| item.as_fields(&format!("{path}[{at}]"), known)).collect()
    }

    fn known_as(&self, folded: &str) -> Option<&'static str> {
        self.known.iter().copied().find(|field| field.eq_ignore_ascii_case(folded))
    }
}

/// Folds a key as far as a Go field name, which is ASCII, can tell: two characters outside
/// ASCII fold onto ASCII letters, the long s and the Kelvin sign.
pub(crate) fn fold(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

fn ambiguous(message: impl AsRef<str>) -> Refusal {
    Refusal::new(RefusalCode::BodyAmbiguous, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::json::read;

    const KNOWN: &[&str] = &["Image", "HostConfig", "Kelvin", "Cmd", "Labels", "Mounts", "Tty", "Size"];

    fn json(text: &str) -> Json {
        read(text.as_bytes()).unwrap()
    }

    fn refused(text: &str) -> String {
        let refusal = json(text).as_fields("HostConfig", KNOWN).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::BodyAmbiguous);
        refusal.message
    }

    #[test]
    fn a_field_is_found_whatever_the_case_of_its_key() {
        for text in [r#"{"Image":"a"}"#, r#"{"image":"a"}"#, r#"{"IMAGE":"a"}"#, r#"{"imag\u0065":"a"}"#] {
            assert_eq!(json(text).as_fields("", KNOWN).unwrap().text("Image"), Ok("a"), "{text}");
        }
    }

    #[test]
    fn a_field_that_is_given_in_two_cases_is_refused() {
        let message = "the field `HostConfig.image` of the body is given twice; give it once";
        assert_eq!(refused(r#"{"Image":"a","image":"b"}"#), message);
    }

    #[test]
    fn an_unknown_field_that_is_given_in_two_cases_is_refused() {
        let message = "the field `HostConfig.NEW` of the body is given twice; give it once";
        assert_eq!(refused(r#"{"New":1,"NEW":2}"#), message);
    }

    #[test]
    fn a_key_that_folds_onto_a_known_field_from_outside_ascii_is_refused() {
        for (text, field) in [
            (r#"{"HoſtConfig":{}}"#, "HostConfig"),
            (r#"{"Ho\u017ftConfig":{}}"#, "HostConfig"),
            (r#"{"\u212aelvin":0}"#, "Kelvin"),
            (r#"{"labelſ":null}"#, "Labels"),
        ] {
            let message = format!("the body has a look-alike of the field `HostConfig.{field}`");
            assert_eq!(refused(text), message, "{text}");
        }
    }

    #[test]
    fn a_field_and_its_look_alike_are_one_field_given_twice() {
        assert_eq!(
            json(r#"{"Size":1,"ſize":2}"#).as_fields("", KNOWN).unwrap_err().code,
            RefusalCode::BodyAmbiguous
        );
    }

    #[test]
    fn letters_that_only_look_alike_to_people_do_not_name_a_field() {
        for text in [
            r#"{"İmage":"a"}"#,
            r#"{"ımage":"a"}"#,
            r#"{"Ｉmage":"a"}"#,
            r#"{"Image ":"a"}"#,
            r#"{"Image\u0000":"a"}"#,
        ] {
            let value = json(text);
            let fields = value.as_fields("", KNOWN).unwrap();
            assert_eq!((fields.get("Image"), fields.unknown().count()), (&Json::Null, 1), "{text}");
        }
    }

    #[test]
    fn an_unknown_field_counts_when_its_value_says_something() {
        let value = json(
            r#"{"image":"x","A":"","B":0,"C":false,"D":null,"E":{},"F":[],"G":-0,"H":0.0,
                "a1":"x","b1":1,"c1":true,"e1":{"x":0},"f1":[null],"g1":0e1}"#,
        );
        let fields = value.as_fields("", KNOWN).unwrap();
        let unknown: Vec<&str> = fields.unknown().map(|(key, _)| key).collect();
        assert_eq!(unknown, ["a1", "b1", "c1", "e1", "f1", "g1"]);
    }

    #[test]
    fn a_map_keeps_keys_that_differ_by_case_and_a_struct_does_not() {
        let value = json(r#"{"Labels":{"a":"1","A":"2"}}"#);
        let fields = value.as_fields("", KNOWN).unwrap();
        assert_eq!(fields.text_map("Labels"), Ok(vec![("a", "1"), ("A", "2")]));
        assert_eq!(fields.within("Labels", KNOWN).unwrap_err().code, RefusalCode::BodyAmbiguous);
    }

    #[test]
    fn a_wrong_type_is_refused_with_its_place_and_without_its_value() {
        let value =
            json(r#"{"Mounts":[{"Image":"a"},{"Image":["hunter2"],"Tty":"hunter2","Size":1.5,"Cmd":[1]}]}"#);
        let outer = value.as_fields("HostConfig", KNOWN).unwrap();
        let mount = &outer.each("Mounts", KNOWN).unwrap()[1];
        let message = |refusal: Refusal| {
            assert_eq!(refusal.code, RefusalCode::BodyInvalid);
            refusal.message
        };
        assert_eq!(
            message(mount.text("Image").unwrap_err()),
            "`HostConfig.Mounts[1].Image` of the body is not a string"
        );
        assert_eq!(
            message(mount.flag("Tty").unwrap_err()),
            "`HostConfig.Mounts[1].Tty` of the body is not `true` or `false`"
        );
        assert_eq!(
            message(mount.number("Size").unwrap_err()),
            "`HostConfig.Mounts[1].Size` of the body is not a whole number of 64 bits"
        );
        assert_eq!(
            message(mount.texts("Cmd").unwrap_err()),
            "`HostConfig.Mounts[1].Cmd[0]` of the body is not a string"
        );
        assert_eq!(
            message(mount.texts("Tty").unwrap_err()),
            "`HostConfig.Mounts[1].Tty` of the body is not an array"
        );
        assert_eq!(
            message(outer.map("Mounts").unwrap_err()),
            "`HostConfig.Mounts` of the body is not an object"
        );
    }

    #[test]
    fn null_and_absence_are_the_zero_value_of_every_type() {
        let value = json(r#"{"Image":null}"#);
        let fields = value.as_fields("", KNOWN).unwrap();
        for name in ["Image", "Cmd"] {
            assert_eq!(fields.text(name), Ok(""));
            assert_eq!(fields.flag(name), Ok(false));
            assert_eq!(fields.number(name), Ok(0));
            assert_eq!(fields.texts(name), Ok(vec![]));
            assert_eq!(fields.texts_or_one(name), Ok(vec![]));
            assert_eq!(fields.list(name), Ok(&[][..]));
            assert_eq!(fields.text_map(name), Ok(vec![]));
            assert_eq!(fields.within(name, KNOWN).unwrap().unknown().count(), 0);
        }
    }

    #[test]
    fn a_string_may_stand_for_a_list_of_one_where_old_engines_take_it() {
        let value = json(r#"{"Cmd":"a b"}"#);
        let fields = value.as_fields("", KNOWN).unwrap();
        assert_eq!(fields.texts_or_one("Cmd"), Ok(vec!["a b"]));
        assert!(fields.texts("Cmd").is_err());
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(key in any::<String>()) {
            prop_assert_eq!(fold(&fold(&key)), fold(&key));
        }

        #[test]
        fn no_case_of_a_key_hides_a_field(upper in proptest::collection::vec(any::<bool>(), 10)) {
            let key: String = "HostConfig"
                .chars()
                .zip(upper)
                .map(|(c, upper)| if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
                .collect();
            let value = json(&format!(r#"{{"{key}":true}}"#));
            prop_assert_eq!(value.as_fields("", KNOWN).unwrap().flag("HostConfig"), Ok(true));
        }

        #[test]
        fn giving_any_field_twice_is_refused(at in 0..KNOWN.len(), lower in any::<bool>(), first in any::<bool>()) {
            let again = if lower { KNOWN[at].to_lowercase() } else { KNOWN[at].to_uppercase() };
            let (a, b) = if first { (KNOWN[at], again.as_str()) } else { (again.as_str(), KNOWN[at]) };
            let refusal = read(format!(r#"{{"{a}":1,"x":2,"{b}":null}}"#).as_bytes())
                .and_then(|value| value.as_fields("", KNOWN).map(drop))
                .unwrap_err();
            prop_assert_eq!(refusal.code, RefusalCode::BodyAmbiguous);
        }
    }
}
