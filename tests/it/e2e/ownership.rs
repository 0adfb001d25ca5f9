//! Who created what: own things are within reach, other people's are not, however they are named.

use std::fs;

use super::denial;
use crate::support::http;
use crate::support::wharfinger::Wharf;

/// Starts a container of `person` that runs until it is stopped, and returns its ID.
fn started(wharf: &Wharf, person: &str, name: &str) -> String {
    // Newer engines rename no container on the usual network where that was never set up, as here.
    let create = ["run", "-d", "--network", "none", "--name", name, "busybox"];
    let sleeping = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"];
    wharf.docker(person, &[&create[..], &sleeping].concat()).ok()
}

fn beginning(id: &str, length: usize) -> &str {
    id.split_at(length).0
}

#[test]
fn what_a_developer_created_is_out_of_reach_of_another_by_name_id_and_beginning_of_the_id() {
    let wharf = Wharf::start();
    let id = started(&wharf, "alice", "web");

    let (short, shorter) = (beginning(&id, 12), beginning(&id, 4));
    for name in ["web", &id, short, shorter] {
        for command in ["stop", "kill", "logs", "rm", "start", "inspect", "pause", "wait", "top", "attach"] {
            let said = wharf.docker("erin", &[command, name]);
            assert!(said.err.contains("erin may not "), "docker {command} {name}: {said:?}");
        }
        denial(wharf.docker("erin", &["exec", name, "true"]));
        denial(wharf.docker("erin", &["rename", name, "mine"]));
        denial(wharf.docker("erin", &["cp", &format!("{name}:/etc"), "-"]));
        assert_eq!(wharf.docker("alice", &["exec", name, "echo", "mine"]).ok(), "mine");
        assert_eq!(wharf.docker("alice", &["inspect", "--type=container", "-f", "{{.Id}}", name]).ok(), id);
    }
    assert_eq!(wharf.docker("alice", &["stop", short]).ok(), short);
    assert_eq!(wharf.docker("alice", &["start", "web"]).ok(), "web");
    assert_eq!(wharf.docker("alice", &["rm", "-f", "web"]).ok(), "web");
}

#[test]
fn a_name_counts_for_what_it_means_now() {
    let wharf = Wharf::start();
    let alices = started(&wharf, "alice", "web");

    wharf.docker("alice", &["rename", "web", "old"]).ok();
    let erins = started(&wharf, "erin", "web");

    denial(wharf.docker("alice", &["stop", "web"]));
    denial(wharf.docker("erin", &["stop", "old"]));
    assert_eq!(wharf.docker("erin", &["exec", "web", "echo", "mine"]).ok(), "mine");
    wharf.docker("erin", &["rm", "-f", "web"]).ok();
    wharf.docker("alice", &["rename", "old", "web"]).ok();
    denial(wharf.docker("erin", &["stop", "web"]));
    wharf.docker("alice", &["rm", "-f", "web"]).ok();
    assert_ne!(alices, erins);
}

#[test]
fn a_name_that_is_the_beginning_of_another_containers_id_is_nobodys() {
    let wharf = Wharf::start();
    let erins = started(&wharf, "erin", "victim");
    let trap = beginning(&erins, 8);
    let alices = started(&wharf, "alice", trap);

    denial(wharf.docker("alice", &["stop", trap]));
    assert_eq!(wharf.docker("alice", &["exec", &alices, "echo", "by id"]).ok(), "by id");
}

#[test]
fn what_is_reached_through_a_link_is_judged_as_what_it_is() {
    let wharf = Wharf::start();
    started(&wharf, "alice", "web");
    wharf.docker("carol", &["create", "--name", "mine", "--link", "web:alias", "busybox", "true"]).ok();

    assert_eq!(wharf.docker("alice", &["exec", "mine/alias", "echo", "mine"]).ok(), "mine");
    denial(wharf.docker("erin", &["exec", "mine/alias", "true"]));
}

#[test]
fn a_label_proves_nothing() {
    let wharf = Wharf::start();
    let labels = ["--label", "owner=alice", "--label", "user=alice", "--label", "wharfinger.owner=alice"];
    wharf
        .docker("carol", &[&["create", "--name", "carols"], &labels[..], &["busybox", "true"]].concat())
        .ok();

    denial(wharf.docker("alice", &["start", "carols"]));
}

#[test]
fn a_prepared_exec_is_started_by_nobody_but_who_prepared_it() {
    let wharf = Wharf::start();
    let web = started(&wharf, "alice", "web");
    let body = r#"{"Cmd":["true"],"AttachStdout":true}"#;
    let created = wharf.as_("alice").api("POST", &format!("/containers/{web}/exec"), body);
    let exec = created.split('"').nth(3).unwrap().to_owned();
    assert_eq!(exec.len(), 64, "{created}");

    let start = format!("/exec/{exec}/start");
    let erins = wharf.as_("erin").api("POST", &start, r#"{"Detach":true}"#);
    let alices = wharf.as_("alice").api("POST", &start, r#"{"Detach":true}"#);

    assert!(erins.contains("erin may not exec.start"), "{erins}");
    assert!(alices.starts_with("HTTP/1.1 200 "), "{alices}");
}

#[test]
fn a_volume_belongs_to_who_made_it_and_not_to_who_makes_it_again() {
    let wharf = Wharf::start_with(|dir| {
        let policy = "p, role:maker, set:create, *, allow\n\
                      p, role:maker, set:volume-create, *, allow\n\
                      p, role:maker, set:volume-rm, volume:@own, allow\n\
                      p, role:admin, *, *, allow\n\
                      g, group:docker-developers, role:maker\n\
                      g, group:docker-admins, role:admin\n\
                      g2, container.create, set:create\ng2, image.use, set:create\n\
                      g2, volume.use, set:create\ng2, network.use, set:create\n\
                      p, role:public, system.ping, *, allow\ng, everyone, role:public\n\
                      g2, volume.create, set:volume-create\ng2, volume.delete, set:volume-rm\n";
        fs::write(dir.join("policy.csv"), policy).unwrap();
        format!("[policy]\nfile = {:?}\n", dir.join("policy.csv"))
    });

    wharf.docker("alice", &["volume", "create", "data"]).ok();
    wharf.docker("erin", &["volume", "create", "data"]).ok();
    denial(wharf.docker("erin", &["volume", "rm", "data"]));

    // Gone by a call that does not name it, and made again by another person's container.
    // As older clients call it: newer ones leave volumes with names alone.
    wharf.as_("carol").api("POST", "/v1.41/volumes/prune", "");
    wharf.docker("erin", &["create", "--name", "erins", "-v", "data:/data", "busybox", "true"]).ok();
    wharf.docker("carol", &["rm", "erins"]).ok();
    denial(wharf.docker("alice", &["volume", "rm", "data"]));
    assert_eq!(wharf.docker("erin", &["volume", "rm", "data"]).ok(), "data");
}

#[test]
fn ownership_survives_a_crash_of_wharfinger() {
    let mut wharf = Wharf::start();
    started(&wharf, "alice", "web");

    wharf.wharfinger.kill();
    wharf.wharfinger.start_again();

    denial(wharf.docker("erin", &["stop", "web"]));
    assert_eq!(wharf.docker("alice", &["stop", "web"]).ok(), "web");
}

#[test]
fn nothing_is_anybodys_by_name_where_the_daemon_cannot_be_asked() {
    let wharf = Wharf::start_with(|dir| format!("[inventory]\ndocker_socket = {:?}\n", dir.join("no.sock")));
    let id = started(&wharf, "alice", "web");

    denial(wharf.docker("alice", &["stop", "web"]));
    assert_eq!(wharf.docker("alice", &["stop", &id]).ok(), id);
}

#[test]
fn a_look_up_of_ours_is_in_no_trail_and_its_header_opens_nothing_for_others() {
    let wharf = Wharf::start();
    started(&wharf, "alice", "web");
    wharf.docker("alice", &["stop", "web"]).ok();

    let socket = wharf.ground.path().join("docker.sock");
    let token = "ab".repeat(16);
    let request = format!(
        "GET /containers/json HTTP/1.1\r\nHost: x\r\nX-Wharfinger-Self: {token}\r\nConnection: close\r\n\r\n"
    );
    let (status, body) = http::raw(&socket, request.as_bytes()).unwrap();

    assert_eq!(status, 403, "{body}");
    assert!(body.contains("`X-Wharfinger-Self`"), "{body}");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let listed: Vec<String> = wharf
        .wharfinger
        .trail()
        .iter()
        .filter(|record| record["operation"] == "container.list")
        .map(|record| text(&record["decision"]))
        .collect();
    assert_eq!(listed, ["deny"]);
}
