//! Plugins that always answer the same, to try the ground without the program.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Answers every question on `socket` with `answer`, until the test process ends.
pub(crate) fn answering(socket: &Path, answer: &'static str) {
    serve_all(socket, answer, &Arc::default());
}

/// A plugin that allows everything and keeps what it was asked.
pub(crate) struct Recorder {
    questions: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    /// Starts answering on `socket`, until the test process ends.
    pub(crate) fn start(socket: &Path) -> Self {
        let questions = Arc::default();
        serve_all(socket, r#"{"Allow":true}"#, &questions);
        Self { questions }
    }

    /// The questions of the request phase since the last call of this, in the order they came.
    pub(crate) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.questions.lock().unwrap())
    }
}

fn serve_all(socket: &Path, answer: &'static str, questions: &Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = UnixListener::bind(socket).unwrap();
    let questions = Arc::clone(questions);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let questions = Arc::clone(&questions);
            std::thread::spawn(move || serve(stream, answer, &questions));
        }
    });
}

fn serve(stream: UnixStream, answer: &str, questions: &Mutex<Vec<Vec<u8>>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let (first, length) = head(&mut reader)?;
        let mut question = vec![0; length];
        reader.read_exact(&mut question).ok()?;
        if first.contains("AuthZReq") {
            questions.lock().unwrap().push(question);
        }
        let body = if first.contains("Plugin.Activate") { r#"{"Implements":["authz"]}"# } else { answer };
        write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).ok()?;
    }
}

fn head(reader: &mut impl BufRead) -> Option<(String, usize)> {
    let mut first = String::new();
    let mut length = 0;
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            return Some((first, length));
        }
        if let Some(value) = line.strip_prefix("Content-Length:") {
            length = value.trim().parse().ok()?;
        }
    }
}
