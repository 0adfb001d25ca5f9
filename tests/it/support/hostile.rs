//! A fake LDAP server that answers what the test says, however wrong that is.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One request of the program.
pub(crate) struct Request {
    /// The message id, as sent.
    pub(crate) id: u8,
    /// What is asked for.
    pub(crate) kind: Kind,
    content: Vec<u8>,
}

impl Request {
    /// Whether the text stands anywhere in the request.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.content.windows(text.len()).any(|part| part == text.as_bytes())
    }
}

/// The kinds of request that a look-up makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bind,
    Search,
    Extended,
    Other,
}

/// What the server does then.
pub(crate) enum Reply {
    /// Sends the bytes.
    Send(Vec<u8>),
    /// Sends the bytes and closes the connection.
    SendAndClose(Vec<u8>),
    /// Sends the bytes again and again, as long as they are taken.
    Forever(Vec<u8>),
    /// Sends the bytes one by one, each after a while.
    Drip(Vec<u8>),
    /// Says nothing, and takes what comes.
    Silence,
}

/// The running server; its threads end with the test process.
pub(crate) struct Hostile {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Hostile {
    /// A server that answers each request as `answer` says.
    pub(crate) fn answering(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counted, answer) = (Arc::clone(&connections), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(stream, &*answer));
            }
        });
        Self { port, connections }
    }

    /// A server that takes the service account, and answers each search as `answer` says.
    pub(crate) fn searching(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::answering(move |request| match request.kind {
            Kind::Bind => Reply::Send(message(request.id, &outcome(0x61, 0))),
            Kind::Search | Kind::Extended | Kind::Other => answer(request),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A BER element.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84], length.as_slice(), content].concat()
}

/// An LDAP message.
pub(crate) fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    element(0x30, &[&[2, 1, id], operation].concat())
}

/// A result of the kind that the tag says.
pub(crate) fn outcome(tag: u8, code: u8) -> Vec<u8> {
    element(tag, &[10, 1, code, 4, 0, 4, 0])
}

/// The end of a search.
pub(crate) fn done(id: u8, code: u8) -> Vec<u8> {
    message(id, &outcome(0x65, code))
}

/// The end of a page of a search's answer, with the cookie of the next one.
pub(crate) fn page_end(id: u8, cookie: &str) -> Vec<u8> {
    let value = element(0x30, &[element(2, &[0]), element(4, cookie.as_bytes())].concat());
    let control = element(0x30, &[element(4, b"1.2.840.113556.1.4.319"), element(4, &value)].concat());
    message(id, &[outcome(0x65, 0), element(0xa0, &control)].concat())
}

/// An entry of a search's answer.
pub(crate) fn entry(id: u8, dn: &str, attributes: &[(&str, &[&str])]) -> Vec<u8> {
    let bytes = |values: &[&str]| values.iter().map(|value| value.as_bytes().to_vec()).collect();
    let attributes: Vec<_> = attributes.iter().map(|(name, values)| (*name, bytes(values))).collect();
    binary_entry(id, dn, &attributes)
}

/// The same with values that need not be text.
pub(crate) fn binary_entry(id: u8, dn: &str, attributes: &[(&str, Vec<Vec<u8>>)]) -> Vec<u8> {
    let attributes: Vec<u8> = attributes
        .iter()
        .flat_map(|(name, values)| {
            let values: Vec<u8> = values.iter().flat_map(|value| element(4, value)).collect();
            element(0x30, &[element(4, name.as_bytes()), element(0x31, &values)].concat())
        })
        .collect();
    message(id, &element(0x64, &[element(4, dn.as_bytes()), element(0x30, &attributes)].concat()))
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&Request) -> Reply) -> Option<()> {
    loop {
        let request = request(&mut stream)?;
        match answer(&request) {
            Reply::Send(bytes) => stream.write_all(&bytes).ok()?,
            Reply::SendAndClose(bytes) => {
                stream.write_all(&bytes).ok()?;
                return stream.shutdown(Shutdown::Both).ok();
            }
            Reply::Forever(bytes) => loop {
                stream.write_all(&bytes).ok()?;
            },
            Reply::Drip(bytes) => {
                for byte in bytes {
                    std::thread::sleep(std::time::Duration::from_millis(200));
                    stream.write_all(&[byte]).ok()?;
                }
            }
            Reply::Silence => {}
        }
    }
}

/// Reads one request; the program's are short enough for the two short forms of length.
fn request(stream: &mut TcpStream) -> Option<Request> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).ok()?;
    let mut length = usize::from(head[1]);
    if length >= 0x80 {
        let mut digits = vec![0; length - 0x80];
        stream.read_exact(&mut digits).ok()?;
        length = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
    }
    let mut content = vec![0; length];
    stream.read_exact(&mut content).ok()?;
    assert_eq!(content[..2], [2, 1], "the test has few enough requests for ids of one byte");
    let kind = match content[3] {
        0x60 => Kind::Bind,
        0x63 => Kind::Search,
        0x77 => Kind::Extended,
        _ => Kind::Other,
    };
    Some(Request { id: content[2], kind, content })
}
