//! What a client gets of the daemon's answer: as it came, changed by a view, or in another's place.

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_LENGTH;
use hyper::{Response, StatusCode};
use tracing::warn;

use super::answer;
use super::body::{self, Body};
use super::decide::Report;
use super::view::{self, Plan};

/// The longest answer that is read whole where no view says otherwise: a denial, or a new object's ID.
pub(super) const SHORT: usize = 64 << 10;

/// As it came.
pub(super) fn passed(response: Response<Incoming>, report: Option<Report>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    answer::without_hops(&mut head.headers);
    Response::from_parts(head, reported(body::passed(body), report))
}

/// The body whose end is the end of the call.
fn reported(body: Body, report: Option<Report>) -> Body {
    match report {
        Some(report) => body::keeping(body, report),
        None => body,
    }
}

/// The sentence of the daemon's error, or what there is in its place.
pub(super) async fn denial(response: Response<Incoming>) -> String {
    #[derive(serde::Deserialize)]
    struct Told {
        message: String,
    }
    let body = Limited::new(response.into_body(), SHORT).collect().await;
    let bytes = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    serde_json::from_slice::<Told>(&bytes)
        .map_or_else(|_| "you may not build here".to_owned(), |told| told.message)
}

/// As the view says.
pub(super) async fn viewed(
    plan: Plan,
    response: Response<Incoming>,
    report: Option<Report>,
) -> Response<Body> {
    match plan {
        // Nobody learns the ID of something new before it is known whose it is.
        Plan::Pass if report.is_some() && response.status() == StatusCode::CREATED => {
            viewed_whole(SHORT, Box::new(Ok), response, report).await
        }
        Plan::Pass => passed(response, report),
        Plan::Hidden(message) => {
            // Read to its end, so that the connection stays good.
            drop(Limited::new(response.into_body(), SHORT).collect().await);
            answer::error(StatusCode::NOT_FOUND, &message)
        }
        Plan::Lines(change) => {
            let (mut head, body) = response.into_parts();
            answer::without_hops(&mut head.headers);
            head.headers.remove(CONTENT_LENGTH);
            Response::from_parts(head, reported(body::lines(body, change), report))
        }
        Plan::Whole { limit, change } => viewed_whole(limit, change, response, report).await,
    }
}

async fn viewed_whole(
    limit: usize,
    change: view::Whole,
    response: Response<Incoming>,
    report: Option<Report>,
) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    answer::without_hops(&mut head.headers);
    let bytes: Bytes = match Limited::new(body, limit).collect().await {
        Ok(body) => body.to_bytes(),
        // Fail closed: what cannot be looked at whole is not shown.
        Err(error) => {
            warn!(%error, "an answer of the daemon could not be read whole");
            return answer::error(
                StatusCode::BAD_GATEWAY,
                "the daemon's answer broke off, or is too long to be filtered; ask for less of it",
            );
        }
    };
    if let Some(report) = report {
        report.now(&bytes).await;
    }
    match change(bytes) {
        Ok(bytes) => answer::with_body(head, bytes),
        Err(error) => answer::error(error.status, &error.message),
    }
}
