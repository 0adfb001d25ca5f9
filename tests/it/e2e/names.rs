//! What is permitted or denied by name holds however a thing is named: by ID, by the beginning of one, by a link.

use std::fs;

use super::denial;
use crate::support::process::Said;
use crate::support::wharfinger::Wharf;

const SHIPPED: &str = include_str!("../../../rbac/policy.csv");

/// The shipped policy with these lines, of which dave, who has no role there, holds the role `guest`.
fn with_lines(lines: &str) -> Wharf {
    Wharf::start_with(|dir| {
        fs::write(dir.join("policy.csv"), format!("{SHIPPED}\ng, user:dave, role:guest\n{lines}\n")).unwrap();
        format!("[policy]\nfile = {:?}\n", dir.join("policy.csv"))
    })
}

fn sleeping(wharf: &Wharf, name: &str, further: &[&str]) -> String {
    let command = ["run", "-d", "--network", "none", "--name", name];
    let sleeping = ["busybox", "sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"];
    wharf.docker("carol", &[&command[..], further, &sleeping].concat()).ok()
}

#[test]
fn a_permission_on_a_name_holds_by_id_and_a_denial_is_not_evaded_by_one() {
    let wharf = with_lines(
        "p, role:guest, set:top, container:web-*, allow\n\
         p, role:guest, set:logs, *, allow\n\
         p, role:guest, set:logs, container:db, deny",
    );
    let (web, db) = (sleeping(&wharf, "web-1", &[]), sleeping(&wharf, "db", &[]));
    wharf.docker("carol", &["create", "--name", "by", "--link", "db:alias", "busybox", "true"]).ok();

    for text in ["web-1", &web, web.split_at(12).0, web.split_at(5).0] {
        wharf.docker("dave", &["top", text]).ok();
        wharf.docker("dave", &["logs", text]).ok();
    }
    for text in ["db", &db, db.split_at(12).0, db.split_at(5).0, "by/alias"] {
        denial(wharf.docker("dave", &["top", text]));
        let (message, _) = denial(wharf.docker("dave", &["logs", text]));
        assert!(message.contains("role `guest` denies it"), "{text}: {message}");
    }

    let count = |what: &str| {
        let status = wharf.wharfinger.cli(&["status"]).ok();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap().to_owned();
        line.split_whitespace().last().unwrap().parse::<u64>().unwrap()
    };
    assert!(count("objects known") >= 3 && count("names looked up") >= 10);
    assert_eq!((count("look-ups failed"), count("objects unlearned")), (0, 0));
    let checked = wharf.wharfinger.cli(&["check"]).ok();
    let line = checked.lines().find(|line| line.starts_with("ok      inventory: ")).unwrap();
    assert!(line.contains(" objects; dockerd answers on `"), "{line}");
}

#[test]
fn a_container_that_is_joined_is_judged_by_its_name_whatever_it_is_joined_by() {
    let wharf = with_lines(
        "p, role:guest, set:create, *, allow\n\
         p, role:guest, container.join, container:web-*, allow",
    );
    let (web, db) = (sleeping(&wharf, "web-1", &["-v", "/v"]), sleeping(&wharf, "db", &["-v", "/v"]));
    let join = |how: &str, what: &str| -> Said {
        let option = how.replace("{}", what);
        let command =
            [&["create"][..], &option.split(' ').collect::<Vec<_>>(), &["busybox", "true"]].concat();
        wharf.docker("dave", &command)
    };
    for how in [
        "--network container:{}",
        "--pid container:{}",
        "--ipc container:{}",
        "--volumes-from {}",
        "--link {}:x",
    ] {
        join(how, web.split_at(12).0).ok();
        for text in ["db", &db] {
            let (message, _) = denial(join(how, text));
            assert!(message.contains("container.join container:"), "{how}: {message}");
        }
    }
}

#[test]
fn an_image_by_id_is_judged_by_what_it_is_called_and_a_denied_one_is_not_used_under_another_name() {
    let wharf = with_lines(
        "p, role:guest, set:create, container:*, allow\n\
         p, role:guest, image.use, image:registry.example.com/team/*, allow\n\
         p, role:guest, image.tag, *, allow\n\
         p, role:careful, image.use, image:docker.io/library/forbidden:*, deny\n\
         g, user:erin, role:careful",
    );
    let tag = |from: &str, to: &str| wharf.docker("carol", &["tag", from, to]).ok();
    let id = |image: &str| wharf.docker("carol", &["image", "inspect", "-f", "{{.Id}}", image]).ok();
    let create =
        |person: &str, image: &str| wharf.docker(person, &["create", "--pull", "never", image, "true"]);
    let busybox = id("busybox");
    let digits = busybox.trim_start_matches("sha256:").to_owned();
    let spellings = [busybox.as_str(), &digits, digits.split_at(12).0];

    for text in spellings {
        let (message, _) = denial(create("dave", text));
        assert!(message.contains("image.use image:"), "{message}");
    }
    // Nobody makes an image allowed by tagging it, who may not use it.
    denial(wharf.docker("dave", &["tag", &busybox, "registry.example.com/team/app:1"]));
    tag("busybox", "registry.example.com/team/app:1");
    for text in spellings {
        create("dave", text).ok();
    }
    denial(create("dave", "busybox"));
    create("dave", "registry.example.com/team/app:1").ok();

    create("erin", "busybox").ok();
    tag("busybox", "forbidden:1");
    for text in ["busybox", "forbidden:1", spellings[0], spellings[1], spellings[2]] {
        let (message, _) = denial(create("erin", text));
        assert!(message.contains("role `careful` denies it"), "{text}: {message}");
    }
}

#[test]
fn the_hosts_network_under_its_id_is_the_hosts_network() {
    let wharf = Wharf::start();
    let host = wharf.docker("carol", &["network", "inspect", "-f", "{{.Id}}", "host"]).ok();
    for text in ["host", &host, host.split_at(12).0] {
        let (message, _) = denial(wharf.docker("alice", &["create", "--network", text, "busybox", "true"]));
        assert!(message.contains("host.namespace namespace:net"), "{text}: {message}");
    }
}

#[test]
fn an_exec_that_was_prepared_unheard_of_is_whose_the_container_is() {
    let mut wharf = Wharf::start();
    let run = ["run", "-d", "--network", "none", "--name", "web", "busybox", "sleep", "600"];
    let web = wharf.docker("alice", &run).ok();
    let prepare = |wharf: &Wharf, person: &str, body: &str| {
        let created = wharf.as_(person).api("POST", &format!("/containers/{web}/exec"), body);
        created.split('"').nth(3).unwrap().to_owned()
    };
    let plain = prepare(&wharf, "carol", r#"{"Cmd":["true"]}"#);
    let privileged = prepare(&wharf, "carol", r#"{"Cmd":["true"],"Privileged":true}"#);
    wharf.wharfinger.kill();
    // As if the answers to both had never been heard.
    let forget = "DELETE FROM objects WHERE kind = 'exec'";
    rusqlite::Connection::open(wharf.ground.path().join("inventory.db"))
        .unwrap()
        .execute_batch(forget)
        .unwrap();
    wharf.wharfinger.start_again();

    let start = |person: &str, exec: &str| {
        wharf.as_(person).api("POST", &format!("/exec/{exec}/start"), r#"{"Detach":true}"#)
    };
    assert!(start("erin", &plain).contains("erin may not exec.start"));
    assert!(start("alice", &privileged).contains("alice may not exec.start"));
    let alices = start("alice", &plain);
    assert!(alices.starts_with("HTTP/1.1 200 "), "{alices}");
}
