//! Bodies on their way through: held for a moment, passed on as they come, or changed line by line.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};

use super::view::{Line, Lines};

/// What can go wrong with a body under way.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body of either direction.
pub(super) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// The longest line of a stream that is changed line by line.
const LINE_LIMIT: usize = 1 << 20;

/// A body that is all there.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is passed on as it comes, at the pace at which it is taken; trailers are left out.
pub(super) fn passed(incoming: Incoming) -> Body {
    Passed(incoming).boxed_unsync()
}

/// A body whose lines are changed.
pub(super) fn lines(incoming: Incoming, change: Lines) -> Body {
    Lined { incoming, change, pending: Vec::new(), ended: false, later: None }.boxed_unsync()
}

/// A body that holds on to something until it has ended, was given up, or broke.
pub(super) fn keeping(body: Body, kept: impl Send + Unpin + 'static) -> Body {
    Keeping { body, _kept: kept }.boxed_unsync()
}

struct Passed(Incoming);

impl HttpBody for Passed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                Some(Ok(frame)) if !frame.is_data() => {}
                Some(frame) => return Poll::Ready(Some(frame.map_err(BodyError::from))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

struct Lined {
    incoming: Incoming,
    change: Lines,
    pending: Vec<u8>,
    ended: bool,
    /// What the first line that is pending waits for.
    later: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Lined {
    /// What can be shown of what has come: whole lines, and at the end the rest.
    fn changed(&mut self) -> Result<Vec<u8>, BodyError> {
        let mut shown = Vec::new();
        while self.later.is_none() {
            let end = match self.pending.iter().position(|byte| *byte == b'\n') {
                Some(at) => at + 1,
                None if self.ended && !self.pending.is_empty() => self.pending.len(),
                None => break,
            };
            let rest = self.pending.split_off(end);
            let line = Bytes::from(std::mem::replace(&mut self.pending, rest));
            match (self.change)(&line)? {
                Line::Shown => shown.extend_from_slice(&line),
                Line::Hidden => {}
                Line::Later(later) => {
                    self.later = Some(later);
                    self.pending.splice(..0, line);
                }
            }
        }
        // Fail closed: what cannot be looked at whole is not shown.
        if self.later.is_none() && self.pending.len() > LINE_LIMIT {
            return Err("a line of the daemon's answer is too long to be looked at".into());
        }
        Ok(shown)
    }
}

impl HttpBody for Lined {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(later) = &mut self.later {
                ready!(later.as_mut().poll(cx));
                self.later = None;
            } else if self.ended {
                return Poll::Ready(None);
            } else {
                match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            self.pending.extend_from_slice(&data);
                        }
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                    None => self.ended = true,
                }
            }
            match self.changed() {
                Ok(shown) if shown.is_empty() => {}
                Ok(shown) => return Poll::Ready(Some(Ok(Frame::data(shown.into())))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

struct Keeping<T> {
    body: Body,
    _kept: T,
}

impl<T: Unpin> HttpBody for Keeping<T> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
