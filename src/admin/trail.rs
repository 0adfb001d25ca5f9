//! The trail's routes: list, export, one record.
use super::problem::Problem;
use axum::response::Response;
use hyper::StatusCode;

pub(super) async fn list() -> Result<Response, Problem> {
    Err(Problem::new(StatusCode::NOT_FOUND, "x"))
}
pub(super) async fn export() -> Result<Response, Problem> {
    Err(Problem::new(StatusCode::NOT_FOUND, "x"))
}
pub(super) async fn show() -> Result<Response, Problem> {
    Err(Problem::new(StatusCode::NOT_FOUND, "x"))
}
