//! The API document (`OpenAPI` 3.1), made from the table of routes and the shapes: it cannot say what the code does not.

use serde_json::{Map, Value, json};

use super::answers::Problem as ProblemShape;
use super::routes::{Answer, Route};
use super::shape::{Schemas, Shape as _};

/// The whole document.
pub(super) fn document(routes: &[Route]) -> Value {
    let mut schemas = Schemas::new();
    ProblemShape::collect(&mut schemas);
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_ascii_lowercase(), operation(route, &mut schemas));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wharfinger",
            "summary": "Roles, grants and the audit trail of one Docker daemon.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of a trusted issuer. On the local socket the kernel says who asks, and none is needed.",
                },
            },
        },
    })
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let mut parameters = path_parameters(route.path);
    if let Some(query) = route.query {
        parameters.extend(query_parameters(&query(schemas)));
    }
    if route.if_match {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false, "schema": {"type": "string"},
            "description": "The `ETag` of the policy that the change starts from, such as `\"7\"`; needed for a whole text.",
        }));
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses(route, schemas),
    });
    if let (Some(body), Some(operation)) = (route.body, operation.as_object_mut()) {
        let body = match body {
            Answer::Json(schema) => json!({"application/json": {"schema": schema(schemas)}}),
            Answer::Text(kinds) => texts(kinds),
        };
        operation.insert("requestBody".to_owned(), json!({"required": true, "content": body}));
    }
    operation
}

fn responses(route: &Route, schemas: &mut Schemas) -> Value {
    let content = match route.answer {
        Answer::Json(schema) => json!({"application/json": {"schema": schema(schemas)}}),
        Answer::Text(kinds) => texts(kinds),
    };
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({"description": "Done.", "content": content}));
    let common = [
        (400, "What is asked cannot be understood."),
        (401, "Nobody knows who asks."),
        (403, "The policy does not permit it."),
        (429, "Too many questions."),
        (503, "The audit trail cannot be written, so nothing is done."),
    ];
    for (status, description) in common.iter().chain(route.problems) {
        responses.insert(
            status.to_string(),
            json!({
                "description": description,
                "content": {"application/problem+json": {"schema": ProblemShape::schema()}},
            }),
        );
    }
    Value::Object(responses)
}

fn texts(kinds: &[&str]) -> Value {
    let kinds = kinds.iter().map(|kind| {
        // Records and tokens are described where they are made.
        let schema = if *kind == "application/json" { json!({}) } else { json!({"type": "string"}) };
        ((*kind).to_owned(), json!({"schema": schema}))
    });
    Value::Object(kinds.collect())
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let schema = if name == "number" {
                u64::schema()
            } else {
                json!({"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9._-]+$"})
            };
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect()
}

/// The fields of a shape as parameters of the query.
fn query_parameters(schema: &Value) -> Vec<Value> {
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    fields
        .into_iter()
        .map(|(name, mut field)| {
            let says = field.as_object_mut().and_then(|field| field.remove("description"));
            // In a query there is no null: what is not wanted is left out.
            let schema = field.pointer("/anyOf/0").cloned().unwrap_or(field);
            let required = required.iter().any(|field| field.as_str() == Some(name.as_str()));
            json!({"name": name, "in": "query", "required": required, "schema": schema, "description": says})
        })
        .collect()
}

#[cfg(test)]
mod tests {
    const GOLDEN: &str = include_str!("openapi.json");

    #[test]
    fn the_document_is_the_one_that_is_kept() {
        let document = super::document(&crate::admin::routes::routes());
        let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
        if text != GOLDEN {
            let new = std::env::temp_dir().join("wharfinger-openapi.json");
            std::fs::write(&new, text).unwrap();
            panic!("the API changed: if that is meant, keep {} as src/admin/openapi.json", new.display());
        }
    }
}
