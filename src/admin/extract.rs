//! Reading questions: what cannot be read is answered with a problem, like every other error.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use hyper::StatusCode;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The query, as a shape.
#[derive(Debug)]
pub(super) struct Ask<T>(pub(super) T);

/// A name in the path.
#[derive(Debug)]
pub(super) struct Named(pub(super) String);

/// The body, as a shape in JSON.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

/// The longest body that is read, in bytes: a policy of a million lines.
pub(super) const LONGEST_BODY: usize = 64 << 20;

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(asked)| Self(asked)).map_err(|error| bad(error.body_text()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<String>::from_request_parts(parts, state).await;
        read.map(|Path(name)| Self(name)).map_err(|error| bad(error.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(hyper::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let json = kind
            .is_some_and(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json"));
        if !json {
            let message = "the body has to be JSON: send `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let bytes = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|error| Problem::new(error.status(), error.body_text()))?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| bad(format!("the body is not what this takes: {error}")))
    }
}

fn bad(message: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, message)
}
