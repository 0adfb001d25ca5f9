//! The refusal of a build in a form that build tools show: they hide the answer to a denied upgrade.
//!
//! buildx takes a denied `/grpc` for an old daemon, and starts a privileged builder container without a word. So the
//! upgrade is taken, no daemon is behind it, and every gRPC call on it is answered with the reason (RFC 9113, 7541).

use std::fmt::Write as _;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What an HTTP/2 client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest frame that a client may send to a server that announces nothing else.
const FRAME_LIMIT: usize = 16_384;

/// gRPC's number for "you may not".
const PERMISSION_DENIED: &str = "7";

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const ACKNOWLEDGED: u8 = 1;
/// The end of the stream and of its headers.
const ENDED: u8 = 1 | 4;

/// Answers every call of a gRPC client with the reason, until it closes the connection.
pub(super) async fn refuse(client: impl AsyncRead + AsyncWrite + Unpin, message: &str) -> io::Result<()> {
    let mut client = client;
    let mut preface = [0; PREFACE.len()];
    client.read_exact(&mut preface).await?;
    if preface != PREFACE {
        return Ok(());
    }
    client.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    let answer = answer(message);
    loop {
        let Some((kind, flags, stream, payload)) = read(&mut client).await? else { return Ok(()) };
        let reply = match kind {
            SETTINGS if flags & ACKNOWLEDGED == 0 => frame(SETTINGS, ACKNOWLEDGED, 0, &[]),
            PING if flags & ACKNOWLEDGED == 0 => frame(PING, ACKNOWLEDGED, 0, &payload),
            HEADERS => frame(HEADERS, ENDED, stream, &answer),
            GO_AWAY => return Ok(()),
            // Data, and whatever else is about a call that has had its answer.
            _ => continue,
        };
        client.write_all(&reply).await?;
    }
}

/// Type, flags, stream and payload of the next frame; nothing at the end, or if it is too long to be one.
async fn read(client: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(u8, u8, u32, Vec<u8>)>> {
    let mut head = [0; 9];
    if let Err(error) = client.read_exact(&mut head).await {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = head;
    let length = u32::from_be_bytes([0, l1, l2, l3]) as usize;
    if length > FRAME_LIMIT {
        return Ok(None);
    }
    let mut payload = vec![0; length];
    client.read_exact(&mut payload).await?;
    Ok(Some((kind, flags, u32::from_be_bytes([s1 & 0x7f, s2, s3, s4]), payload)))
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default();
    let mut frame = length.to_be_bytes().into_iter().skip(1).collect::<Vec<u8>>();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The header block of a gRPC error: all literals, so that no table is kept.
fn answer(message: &str) -> Vec<u8> {
    // `:status: 200` of HPACK's static table.
    let mut block = vec![0x88];
    for (name, value) in [
        ("content-type", "application/grpc"),
        ("grpc-status", PERMISSION_DENIED),
        ("grpc-message", &percent_encoded(message)),
    ] {
        block.push(0);
        literal(&mut block, name);
        literal(&mut block, value);
    }
    block
}

/// A string without Huffman coding: its length in the seven-bit form, then its bytes.
fn literal(block: &mut Vec<u8>, text: &str) {
    const MORE: usize = 127;
    let length = text.len();
    if length < MORE {
        block.push(u8::try_from(length).unwrap_or_default());
    } else {
        block.push(127);
        let mut rest = length - MORE;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).unwrap_or_default() | 128);
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap_or_default());
    }
    block.extend(text.as_bytes());
}

/// As gRPC writes messages into a header.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes().take(2000) {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(encoded, "%{byte:02X}").ok();
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_call_is_answered_with_the_reason_until_the_client_closes() {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let refusing = tokio::spawn(async move { refuse(server, "alice may not build: 100 %").await });
        client.write_all(PREFACE).await.unwrap();
        for (kind, flags, stream, payload) in [
            (SETTINGS, 0, 0, &b""[..]),
            (SETTINGS, ACKNOWLEDGED, 0, b""),
            (HEADERS, 4, 1, b"\x83"),
            (0, 1, 1, b"data"),
            (PING, 0, 0, b"12345678"),
            (HEADERS, 4, 3, b"\x83"),
        ] {
            client.write_all(&frame(kind, flags, stream, payload)).await.unwrap();
        }
        let denial = |stream| {
            let mut block = b"\x88\x00\x0ccontent-type\x10application/grpc\x00\x0bgrpc-status\x017".to_vec();
            block.extend(b"\x00\x0cgrpc-message\x1calice may not build: 100 %25");
            (HEADERS, ENDED, stream, block)
        };
        let expected = [
            (SETTINGS, 0, 0, vec![]),
            (SETTINGS, ACKNOWLEDGED, 0, vec![]),
            denial(1),
            (PING, ACKNOWLEDGED, 0, b"12345678".to_vec()),
            denial(3),
        ];
        for expected in expected {
            assert_eq!(read(&mut client).await.unwrap(), Some(expected));
        }
        drop(client);
        refusing.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_is_no_http2_is_closed() {
        for sent in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"PRI"] {
            let (mut client, server) = tokio::io::duplex(1024);
            client.write_all(sent).await.unwrap();
            client.shutdown().await.unwrap();
            drop(refuse(server, "no").await);
            let mut got = Vec::new();
            client.read_to_end(&mut got).await.unwrap();
            assert_eq!(got, b"");
        }
    }

    #[test]
    fn long_texts_have_their_length_in_more_than_one_byte() {
        for (length, head) in [(126, vec![126]), (127, vec![127, 0]), (300, vec![127, 0xad, 1])] {
            let mut block = Vec::new();
            literal(&mut block, &"x".repeat(length));
            assert_eq!(block[..block.len() - length], head);
        }
    }
}
