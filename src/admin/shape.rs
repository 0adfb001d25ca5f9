//! Shapes: types that are declared once and give the struct, its JSON form and its description in the API document.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Named schemas of the API document.
pub type Schemas = BTreeMap<&'static str, Value>;

/// A type whose JSON form the API document describes.
pub trait Shape {
    /// Whether a field of that type can be left out.
    const OPTIONAL: bool = false;

    /// The schema, or a reference to a named one.
    fn schema() -> Value;

    /// Adds the named schemas that the reference leads to.
    fn collect(_schemas: &mut Schemas) {}
}

macro_rules! plain {
    ($($type:ty => $schema:expr;)*) => { $(
        impl Shape for $type {
            fn schema() -> Value { $schema }
        }
    )* };
}

plain! {
    String => json!({"type": "string"});
    bool   => json!({"type": "boolean"});
    u32    => json!({"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u64});
    u64    => json!({"type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64});
    Value  => json!({});
}

impl<T: Shape> Shape for Option<T> {
    const OPTIONAL: bool = true;

    fn schema() -> Value {
        json!({"anyOf": [T::schema(), {"type": "null"}]})
    }

    fn collect(schemas: &mut Schemas) {
        T::collect(schemas);
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn schema() -> Value {
        json!({"type": "array", "items": T::schema()})
    }

    fn collect(schemas: &mut Schemas) {
        T::collect(schemas);
    }
}

/// Declares shapes: `name "what it is" { field: Type "what it says"; }`.
macro_rules! shapes {
    ($($name:ident $about:literal { $($field:ident: $type:ty, $says:literal;)* })*) => { $(
        #[doc = $about]
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $(#[doc = $says] pub $field: $type,)* }

        $crate::admin::shape::described! { $name $about { $($field: $type, $says;)* } }
    )* };
}

/// Describes a struct that is declared elsewhere.
macro_rules! described {
    ($name:ident $about:literal { $($field:ident: $type:ty, $says:literal;)* }) => {
        impl $crate::admin::shape::Shape for $name {
            fn schema() -> serde_json::Value {
                serde_json::json!({"$ref": concat!("#/components/schemas/", stringify!($name))})
            }

            fn collect(schemas: &mut $crate::admin::shape::Schemas) {
                if schemas.contains_key(stringify!($name)) {
                    return;
                }
                // First, so that a shape that holds itself comes to an end.
                schemas.insert(stringify!($name), serde_json::Value::Null);
                $(<$type as $crate::admin::shape::Shape>::collect(schemas);)*
                let fields = [$((
                    stringify!($field),
                    $says,
                    <$type as $crate::admin::shape::Shape>::schema(),
                    <$type as $crate::admin::shape::Shape>::OPTIONAL,
                ),)*];
                schemas.insert(stringify!($name), $crate::admin::shape::object($about, &fields));
            }
        }
    };
}

pub(super) use {described, shapes};

/// One JSON object as a schema: its fields with what they say.
pub(super) fn object(about: &str, fields: &[(&str, &str, Value, bool)]) -> Value {
    let described = |(name, says, schema, _): &(&str, &str, Value, bool)| {
        let mut schema = schema.clone();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), json!(says));
        }
        ((*name).to_owned(), schema)
    };
    let properties: serde_json::Map<String, Value> = fields.iter().map(described).collect();
    let required: Vec<&str> =
        fields.iter().filter(|(.., optional)| !optional).map(|(name, ..)| *name).collect();
    json!({
        "type": "object",
        "description": about,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
