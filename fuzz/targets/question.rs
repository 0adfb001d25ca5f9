//! Feeds any question of dockerd's through decoding and classification.
#![no_main]

use wharfinger::engine::{Call, Door, classify};
use wharfinger::plugin::wire::Question;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(question) = Question::read(bytes) else { return };
    let call = |door| Call {
        method: &question.request_method,
        uri: &question.request_uri,
        headers: &question.request_headers,
        body: question.request_body.as_deref(),
        door,
    };
    match (classify(&call(Door::Plugin)), classify(&call(Door::Gateway))) {
        (Ok(plugin), gateway) => {
            assert_eq!(plugin.requirements.iter().next().map(|first| first.action), Some(plugin.operation));
            for requirement in &plugin.requirements {
                let name = &requirement.resource.name;
                assert!(!name.is_empty() && !name.chars().any(char::is_control), "{requirement}");
            }
            // What the gateway saw is known better, so through it a call needs the same or less.
            let gateway = gateway.expect("the door that shows less is the stricter one");
            for requirement in &gateway.requirements {
                assert!(plugin.requirements.iter().any(|other| other == requirement), "{requirement}");
            }
        }
        (Err(refusal), _) => assert!(!refusal.message.chars().any(char::is_control), "{refusal}"),
    }
});
