//! What an LDAP message may look like: a strict, flat reader, since the library's own parser recurses and panics.

use std::cell::Cell;

/// Larger messages are refused; the answers that we ask for are some kilobytes.
pub(super) const MAX_MESSAGE: usize = 1 << 20;

/// More elements in one message are refused: each costs the library many times its own bytes.
const MAX_ELEMENTS: usize = 1 << 16;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTROLS: u8 = 0xa0;
const REFERRAL: u8 = 0xa3;
const BIND_RESPONSE: u8 = 0x61;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED_RESPONSE: u8 = 0x78;
/// The number of an extended response's name (RFC 4511 §4.12).
const RESPONSE_NAME: u8 = 0x0a;
/// The bit of a tag that says that its content is elements.
const CONSTRUCTED: u8 = 0x20;
/// The bits of a tag that are its number.
const NUMBER: u8 = 0x1f;

/// Why a message is refused, and the connection with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    /// Over [`MAX_MESSAGE`].
    #[error("the server sent a message of more than 1 MiB")]
    TooLong,
    /// Over [`MAX_ELEMENTS`].
    #[error("the server sent a message of too many elements")]
    TooMany,
    /// Not what RFC 4511 says, or something that we never ask for.
    #[error("the server sent a malformed message")]
    Malformed,
    /// The server says that it is about to close (RFC 4511 §4.4.1); the library would not notice.
    #[error("the server announced that it closes the connection")]
    Notice,
}

/// The length in bytes of the message that the buffer begins with; `None` while its head is not all there.
pub(super) fn frame(buffer: &[u8]) -> Result<Option<usize>, Bad> {
    match buffer.split_first() {
        None => Ok(None),
        Some((&SEQUENCE, rest)) => {
            let Some((length, content)) = length(rest)? else { return Ok(None) };
            let head = buffer.len() - content.len();
            let whole = head.checked_add(length).filter(|&whole| whole <= MAX_MESSAGE).ok_or(Bad::TooLong)?;
            Ok(Some(whole))
        }
        Some(_) => Err(Bad::Malformed),
    }
}

/// Accepts one whole message of a kind that we ask for, in exactly the shape that the library expects.
///
/// Every constructed element has its place in this grammar, so nesting is bounded by it.
pub(super) fn check(message: &[u8]) -> Result<(), Bad> {
    let budget = Cell::new(MAX_ELEMENTS);
    let mut outer = Reader { rest: message, budget: &budget };
    let mut message = outer.expect(SEQUENCE)?;
    outer.end()?;
    let id = message.expect(INTEGER)?.integer()?;
    if id == 0 {
        return Err(Bad::Notice);
    }
    let (operation, content) = message.next()?;
    match operation {
        BIND_RESPONSE | SEARCH_DONE | EXTENDED_RESPONSE => result(content)?,
        SEARCH_ENTRY => entry(content)?,
        SEARCH_REFERENCE => texts(content)?,
        _ => return Err(Bad::Malformed),
    }
    if !message.is_empty() {
        controls(message.expect(CONTROLS)?)?;
    }
    message.end()
}

/// The result code of a checked message that carries one.
pub(super) fn result_code(message: &[u8]) -> Result<u32, Bad> {
    let budget = Cell::new(MAX_ELEMENTS);
    let mut message = Reader { rest: message, budget: &budget }.expect(SEQUENCE)?;
    message.expect(INTEGER)?;
    match message.next()? {
        (BIND_RESPONSE | SEARCH_DONE | EXTENDED_RESPONSE, mut content) => {
            content.expect(ENUMERATED)?.integer()
        }
        _ => Err(Bad::Malformed),
    }
}

/// The cookie in the value of a control for pages (RFC 2696): a number and the cookie. The library's own reading
/// of it recurses, and panics.
pub(super) fn cookie(value: &[u8]) -> Result<Vec<u8>, Bad> {
    let budget = Cell::new(3);
    let mut outer = Reader { rest: value, budget: &budget };
    let mut content = outer.expect(SEQUENCE)?;
    outer.end()?;
    content.expect(INTEGER)?.integer()?;
    let cookie = content.expect(OCTET_STRING)?;
    content.end()?;
    Ok(cookie.rest.to_vec())
}

/// `LDAPResult`, and what bind and extended responses add to it. The library knows the additions by their
/// number alone, whatever their class.
fn result(mut content: Reader<'_>) -> Result<(), Bad> {
    content.expect(ENUMERATED)?.integer()?;
    content.expect(OCTET_STRING)?.text()?;
    content.expect(OCTET_STRING)?.text()?;
    while !content.is_empty() {
        match content.next()? {
            (REFERRAL, urls) => texts(urls)?,
            (tag, _) if tag & CONSTRUCTED != 0 || tag & NUMBER == REFERRAL & NUMBER => {
                return Err(Bad::Malformed);
            }
            (tag, name) if tag & NUMBER == RESPONSE_NAME => name.text()?,
            (_, _) => {}
        }
    }
    Ok(())
}

fn entry(mut content: Reader<'_>) -> Result<(), Bad> {
    content.expect(OCTET_STRING)?.text()?;
    let mut attributes = content.expect(SEQUENCE)?;
    while !attributes.is_empty() {
        let mut attribute = attributes.expect(SEQUENCE)?;
        attribute.expect(OCTET_STRING)?.text()?;
        let mut values = attribute.expect(SET)?;
        while !values.is_empty() {
            values.expect(OCTET_STRING)?;
        }
        attribute.end()?;
    }
    content.end()
}

fn texts(mut content: Reader<'_>) -> Result<(), Bad> {
    while !content.is_empty() {
        content.expect(OCTET_STRING)?.text()?;
    }
    Ok(())
}

fn controls(mut content: Reader<'_>) -> Result<(), Bad> {
    while !content.is_empty() {
        let mut control = content.expect(SEQUENCE)?;
        control.expect(OCTET_STRING)?.text()?;
        if control.rest.first() == Some(&BOOLEAN) && control.expect(BOOLEAN)?.rest.len() != 1 {
            return Err(Bad::Malformed);
        }
        if !control.is_empty() {
            control.expect(OCTET_STRING)?;
        }
        control.end()?;
    }
    Ok(())
}

/// The content of one element, read from the front.
#[derive(Clone, Copy)]
struct Reader<'a> {
    rest: &'a [u8],
    budget: &'a Cell<usize>,
}

impl<'a> Reader<'a> {
    fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    fn end(self) -> Result<(), Bad> {
        if self.is_empty() { Ok(()) } else { Err(Bad::Malformed) }
    }

    /// The next element's tag and content.
    fn next(&mut self) -> Result<(u8, Reader<'a>), Bad> {
        self.budget.set(self.budget.get().checked_sub(1).ok_or(Bad::TooMany)?);
        let (&tag, rest) = self.rest.split_first().ok_or(Bad::Malformed)?;
        // The number goes on in the next byte: no LDAP message has such a tag.
        if tag & NUMBER == NUMBER {
            return Err(Bad::Malformed);
        }
        let (length, rest) = length(rest)?.ok_or(Bad::Malformed)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(Bad::Malformed)?;
        self.rest = rest;
        Ok((tag, Reader { rest: content, budget: self.budget }))
    }

    fn expect(&mut self, tag: u8) -> Result<Reader<'a>, Bad> {
        let (found, content) = self.next()?;
        if found == tag { Ok(content) } else { Err(Bad::Malformed) }
    }

    fn text(self) -> Result<(), Bad> {
        std::str::from_utf8(self.rest).map(|_| ()).map_err(|_| Bad::Malformed)
    }

    /// A number from 0 to 2³¹ - 1, as message ids and result codes are.
    fn integer(self) -> Result<u32, Bad> {
        match self.rest {
            [first, ..] if self.rest.len() <= 4 && *first < 0x80 => {
                Ok(self.rest.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
            }
            _ => Err(Bad::Malformed),
        }
    }
}

/// A definite length and what follows it; `None` where the buffer ends within it.
fn length(bytes: &[u8]) -> Result<Option<(usize, &[u8])>, Bad> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some((usize::from(first), rest)));
    }
    let count = usize::from(first & 0x7f);
    // Zero is the indefinite form, which LDAP forbids.
    if count == 0 || count > 4 {
        return Err(Bad::Malformed);
    }
    let Some((digits, rest)) = rest.split_at_checked(count) else { return Ok(None) };
    Ok(Some((digits.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)))
}

#[cfg(test)]
mod tests {
    use super::super::entry::Entry;
    use super::*;
    use proptest::prelude::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84], length.as_slice(), content].concat()
    }

    fn message(id: &[u8], rest: &[u8]) -> Vec<u8> {
        element(SEQUENCE, &[element(INTEGER, id), rest.to_vec()].concat())
    }

    fn attribute(name: &str, values: &[&[u8]]) -> Vec<u8> {
        let values: Vec<u8> = values.iter().flat_map(|value| element(OCTET_STRING, value)).collect();
        element(SEQUENCE, &[element(OCTET_STRING, name.as_bytes()), element(SET, &values)].concat())
    }

    fn entry(dn: &[u8], attributes: &[u8]) -> Vec<u8> {
        element(SEARCH_ENTRY, &[element(OCTET_STRING, dn), element(SEQUENCE, attributes)].concat())
    }

    fn outcome(tag: u8, code: &[u8], more: &[u8]) -> Vec<u8> {
        let head = [element(ENUMERATED, code), element(OCTET_STRING, b""), element(OCTET_STRING, b"text")];
        element(tag, &[head.concat(), more.to_vec()].concat())
    }

    #[test]
    fn the_cookie_of_a_page_is_read_from_exactly_its_form() {
        let value = |content: &[u8]| element(SEQUENCE, content);
        let number = element(INTEGER, &[0]);
        assert_eq!(
            cookie(&value(&[number.clone(), element(OCTET_STRING, b"next")].concat())),
            Ok(b"next".to_vec())
        );
        assert_eq!(cookie(&value(&[number.clone(), element(OCTET_STRING, b"")].concat())), Ok(Vec::new()));
        for odd in [
            Vec::new(),
            value(&number),
            value(&[number.clone(), element(SEQUENCE, b"")].concat()),
            [value(&[number, element(OCTET_STRING, b"")].concat()), vec![0]].concat(),
        ] {
            assert_eq!(cookie(&odd), Err(Bad::Malformed));
        }
    }

    #[test]
    fn the_messages_of_a_lookup_are_accepted() {
        let control = element(
            SEQUENCE,
            &[
                element(OCTET_STRING, b"1.2.840.113556.1.4.319"),
                element(BOOLEAN, &[0]),
                element(OCTET_STRING, b"c"),
            ]
            .concat(),
        );
        for good in [
            message(&[1], &outcome(BIND_RESPONSE, &[0], &element(0x87, b"\xff"))),
            message(
                &[2],
                &entry(b"uid=a", &[attribute("uid", &[b"a", b"\xff"]), attribute("cn", &[])].concat()),
            ),
            message(&[2], &element(SEARCH_REFERENCE, &element(OCTET_STRING, b"ldap://other/"))),
            message(&[0x7f, 0xff, 0xff, 0xff], &outcome(SEARCH_DONE, &[0], &[])),
            message(
                &[3],
                &outcome(SEARCH_DONE, &[10], &element(REFERRAL, &element(OCTET_STRING, b"ldap://o/"))),
            ),
            message(&[3], &[outcome(SEARCH_DONE, &[0], &[]), element(CONTROLS, &control)].concat()),
            message(
                &[4],
                &outcome(EXTENDED_RESPONSE, &[0], &[element(0x8a, b"1.3"), element(0x8b, b"x")].concat()),
            ),
        ] {
            assert_eq!(check(&good), Ok(()), "{good:02x?}");
            assert_eq!(frame(&good), Ok(Some(good.len())));
        }
    }

    #[test]
    fn short_length_forms_are_read_too() {
        let done = [0x30, 12, 2, 1, 2, 0x65, 7, 10, 1, 49, 4, 0, 4, 0];
        assert_eq!((check(&done), frame(&done), result_code(&done)), (Ok(()), Ok(Some(14)), Ok(49)));
    }

    #[test]
    fn what_would_make_the_library_panic_is_refused() {
        let done = outcome(SEARCH_DONE, &[0], &[]);
        for bad in [
            message(&[], &done),
            message(&[0x80], &done),
            message(&[0, 0, 0, 0, 1], &done),
            message(&[1], &[]),
            message(&[1], &element(BIND_RESPONSE, &[])),
            message(&[1], &element(0x04, b"x")),
            message(&[1], &element(0x7f, b"x")),
            message(&[1], &element(0x79, b"")),
            message(&[1], &outcome(BIND_RESPONSE, &[], &[])),
            message(&[1], &outcome(BIND_RESPONSE, &[0], &element(REFERRAL, &element(OCTET_STRING, b"\xff")))),
            message(&[1], &outcome(BIND_RESPONSE, &[0], &element(0x83, b"x"))),
            message(&[1], &outcome(BIND_RESPONSE, &[0], &element(0xa7, b""))),
            message(&[1], &outcome(EXTENDED_RESPONSE, &[0], &element(0x8a, b"\xff"))),
            message(&[1], &entry(b"\xff", &[])),
            message(&[1], &entry(b"", &attribute("cn", &[])[..4])),
            message(&[1], &entry(b"", &element(SEQUENCE, &[]))),
            message(&[1], &entry(b"", &element(SEQUENCE, &element(OCTET_STRING, b"cn")))),
            message(&[1], &[done.clone(), element(CONTROLS, &element(SEQUENCE, &[]))].concat()),
            message(&[1], &[done.clone(), element(OCTET_STRING, b"")].concat()),
            message(&[1], &[done.clone(), element(CONTROLS, &[]), element(CONTROLS, &[])].concat()),
            [message(&[1], &done), vec![0]].concat(),
        ] {
            assert_eq!(check(&bad), Err(Bad::Malformed), "{bad:02x?}");
        }
    }

    #[test]
    fn nesting_is_refused_without_recursion() {
        let mut nested = Vec::new();
        for _ in 0..10_000 {
            let length = u32::try_from(nested.len()).unwrap().to_be_bytes();
            nested.splice(0..0, [&[SEQUENCE, 0x84], length.as_slice()].concat());
        }
        assert_eq!(check(&nested), Err(Bad::Malformed));
        assert_eq!(check(&message(&[1], &entry(b"", &nested))), Err(Bad::Malformed));
        assert_eq!(check(&message(&[1], &nested)), Err(Bad::Malformed));
    }

    #[test]
    fn large_messages_and_many_elements_are_refused() {
        assert_eq!(frame(&[0x30, 0x83, 0x10, 0, 0]), Err(Bad::TooLong));
        assert_eq!(frame(&[0x30, 0x83, 0x0f, 0xff, 0xfb]), Ok(Some(MAX_MESSAGE)));
        assert_eq!(frame(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), Err(Bad::TooLong));
        let values: Vec<u8> = [OCTET_STRING, 0].repeat(MAX_ELEMENTS);
        let many = element(SEQUENCE, &[element(OCTET_STRING, b"cn"), element(SET, &values)].concat());
        assert_eq!(check(&message(&[1], &entry(b"", &many))), Err(Bad::TooMany));
    }

    #[test]
    fn a_notice_of_disconnection_is_noticed_in_both_forms() {
        let regular =
            message(&[0], &outcome(EXTENDED_RESPONSE, &[52], &element(0x8a, b"1.3.6.1.4.1.1466.20036")));
        let misplaced =
            [outcome(EXTENDED_RESPONSE, &[52], &[]), element(0x8a, b"1.3.6.1.4.1.1466.20036")].concat();
        assert_eq!(check(&regular), Err(Bad::Notice));
        assert_eq!(check(&message(&[0], &misplaced)), Err(Bad::Notice));
    }

    #[test]
    fn a_frame_waits_for_its_head_and_refuses_what_is_no_message() {
        for part in [&[][..], &[0x30], &[0x30, 0x82], &[0x30, 0x82, 1]] {
            assert_eq!(frame(part), Ok(None));
        }
        for bad in [&[0x31][..], b"HTTP/1.1 400", &[0x30, 0x80], &[0x30, 0x85]] {
            assert_eq!(frame(bad), Err(Bad::Malformed));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let outcomes = (frame(&bytes), check(&bytes), result_code(&bytes));
            prop_assert!(outcomes.1.is_err() || outcomes.0.is_ok());
        }

        #[test]
        fn what_it_accepts_the_library_can_read(at in 0_usize..1000, byte: u8, which in 0_usize..3) {
            use ldap3::asn1::{PL, Tag, parse_tag};
            let mut bytes = match which {
                0 => message(&[2], &entry(b"uid=a", &attribute("uid", &[b"a", b"b"]))),
                1 => message(&[2], &outcome(SEARCH_DONE, &[0], &element(REFERRAL, &element(OCTET_STRING, b"x")))),
                _ => message(&[2], &outcome(EXTENDED_RESPONSE, &[0], &element(0x8a, b"1.3"))),
            };
            let at = at % bytes.len();
            bytes[at] = byte;
            if frame(&bytes) == Ok(Some(bytes.len())) && check(&bytes).is_ok() {
                let PL::C(parts) = parse_tag(&bytes).unwrap().1.payload else { panic!("not constructed") };
                let operation = parts[1].clone();
                match operation.id {
                    4 => prop_assert!(Entry::read(ldap3::ResultEntry::new(operation)).is_some()),
                    19 => drop(ldap3::parse_refs(operation)),
                    _ => drop(ldap3::LdapResult::from(Tag::StructureTag(operation))),
                }
            }
        }
    }
}
