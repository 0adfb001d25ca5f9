//! Problem answers (RFC 9457).

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::answers;
use crate::engine::harmless;
use crate::policy::{ChangeError, EditError, PolicyError};

/// What went wrong, for the caller.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    /// There is none of that name.
    pub(super) fn none(what: &str, name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what} `{}`", shown(name)))
    }

    /// Why a change is not made, or a version not read.
    pub(super) fn change(error: &ChangeError) -> Self {
        let status = match error {
            ChangeError::Conflict { .. } => StatusCode::PRECONDITION_FAILED,
            ChangeError::FileIsTruth(_)
            | ChangeError::NoBook
            | ChangeError::Nothing
            | ChangeError::Edit(EditError::There(_)) => StatusCode::CONFLICT,
            ChangeError::NoSuchVersion(_) | ChangeError::Edit(EditError::Missing(_)) => StatusCode::NOT_FOUND,
            ChangeError::Policy(PolicyError::Store(_)) | ChangeError::Store(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            ChangeError::Edit(EditError::Shape(_) | EditError::Field(..))
            | ChangeError::Policy(
                PolicyError::File { .. }
                | PolicyError::Model(_)
                | PolicyError::Lines(_)
                | PolicyError::Casbin(_),
            ) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.to_string())
    }
}

/// A text of somebody's choice as an answer may repeat it.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(200).map(harmless).collect()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = answers::Problem {
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: u32::from(self.status.as_u16()),
            detail: self.detail,
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
