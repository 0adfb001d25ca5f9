//! What people see through the gateway: their own, and that there is nothing else.

use std::process::Stdio;

use serde_json::Value;

use super::denial;
use crate::support::gateway::Quay;

/// Tenants, who see what they created; root sees everything.
const HIS: &str = "lp";
const HERS: &str = "news";

/// A container that runs, a volume and a network of each of the two, named after them.
fn furnished() -> Quay {
    let quay = Quay::open();
    for user in [HIS, HERS] {
        quay.docker(user, &["volume", "create", &format!("{user}-data")]).ok();
        quay.docker(user, &["network", "create", "--internal", &format!("{user}-net")]).ok();
        let mount = format!("{user}-data:/data");
        let run = ["run", "-d", "--network", "none", "--name", user, "-e", "SECRET=hunter2", "-v", &mount];
        quay.docker(user, &[&run[..], &["busybox", "sleep", "600"]].concat()).ok();
    }
    quay
}

fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn each_sees_what_is_his_own_and_root_sees_all() {
    let quay = furnished();
    let listed = |user: &str, arguments: &[&str]| quay.docker(user, arguments).ok();
    for user in [HIS, HERS] {
        assert_eq!(listed(user, &["ps", "-a", "--format", "{{.Names}}"]), user);
        assert_eq!(listed(user, &["volume", "ls", "-q"]), format!("{user}-data"));
        let networks = listed(user, &["network", "ls", "--format", "{{.Name}}"]);
        let own = format!("{user}-net");
        assert_eq!(lines(&networks), ["host", &own, "none"]);
        assert_eq!(listed(user, &["images", "-q", "--no-trunc"]).lines().count(), 1);
        let counts =
            ["info", "--format", "{{.Containers}} {{.ContainersRunning}} {{.ContainersStopped}} {{.Images}}"];
        assert_eq!(listed(user, &counts), "1 1 0 1");
        let usage = listed(user, &["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}}"]);
        assert_eq!(lines(&usage), ["Build Cache 0 0", "Containers 1 1", "Images 1 1", "Local Volumes 1 1"]);
        let usage = listed(user, &["system", "df", "-v"]);
        let other = if user == HIS { HERS } else { HIS };
        assert!(usage.contains(&format!("{user}-data")) && !usage.contains(other), "{usage}");
    }
    assert_eq!(lines(&listed("root", &["ps", "-a", "--format", "{{.Names}}"])), [HIS, HERS]);
    assert_eq!(lines(&listed("root", &["volume", "ls", "-q"])), ["lp-data", "news-data"]);
    assert_eq!(listed("root", &["info", "--format", "{{.Containers}}"]), "2");
    // Without the gateway, nobody filters: whoever may see a part gets nothing.
    let own = quay.wharf.docker("dave", &["ps"]).refused();
    assert!(own.contains("dave may not container.list"), "{own}");
}

#[test]
fn what_is_anothers_is_not_there_and_what_is_his_own_says_why_not() {
    let quay = furnished();
    let id = quay.docker(HERS, &["inspect", "--type=container", "-f", "{{.Id}}", HERS]).ok();
    for name in [HERS, &id, id.split_at(12).0, "nothing"] {
        for command in ["stop", "logs", "rm", "top", "inspect", "start", "kill"] {
            let error = quay.docker(HIS, &["container", command, name]).refused();
            assert!(error.contains(&format!("o such container: {name}")), "docker {command} {name}: {error}");
        }
        let error = quay.docker(HIS, &["exec", name, "true"]).refused();
        assert!(error.contains(&format!("No such container: {name}")), "{error}");
        let error = quay.docker(HIS, &["ps", "--filter", &format!("since={name}")]).refused();
        assert!(error.contains(&format!("No such container: {name}")), "{error}");
    }
    for (kind, name, expected) in [
        ("volume", "news-data", "get news-data: no such volume"),
        ("network", "news-net", "network news-net not found"),
        ("volume", "nothing", "get nothing: no such volume"),
        ("network", "nothing", "network nothing not found"),
    ] {
        for command in ["inspect", "rm"] {
            let error = quay.docker(HIS, &[kind, command, name]).refused();
            assert!(error.contains(expected), "docker {kind} {command} {name}: {error}");
        }
    }
    let (message, id) = denial(quay.docker(HIS, &["update", "--memory", "64m", HIS]));
    assert!(message.starts_with("lp may not container.update container:lp"), "{message}");
    assert!(quay.wharf.wharfinger.cli(&["explain", &id]).ok().contains("container.update"));
    // On record, what was answered as not there is the denial that it is.
    let denied = ("container.stop".to_owned(), "deny".to_owned());
    let decisions = quay.wharf.wharfinger.decisions_of(Some(HIS));
    assert_eq!(decisions.iter().filter(|decision| **decision == denied).count(), 4);
    assert_eq!(quay.docker(HERS, &["ps", "--format", "{{.Names}}"]).ok(), HERS);
}

#[test]
fn events_are_those_of_what_is_his_own_also_of_what_is_gone() {
    let quay = furnished();
    let mut command = quay.as_(HIS).command("docker");
    let mut following =
        command.args(["events", "--format", "{{json .}}"]).stdout(Stdio::piped()).spawn().unwrap();
    for user in [HERS, HIS] {
        quay.docker(
            user,
            &["run", "--rm", "--network", "none", "--name", &format!("{user}-short"), "busybox", "true"],
        )
        .ok();
        quay.docker(user, &["rm", "-f", user]).ok();
    }
    let actions = |text: &str| -> Vec<(String, String)> {
        text.lines()
            .map(|line| {
                let event: Value = serde_json::from_str(line).unwrap();
                let name = event["Actor"]["Attributes"]["name"].as_str().unwrap_or_default();
                (event["Action"].as_str().unwrap().to_owned(), name.to_owned())
            })
            .collect()
    };
    let history = |user: &str| {
        // To the nanosecond: of `0s` the command line makes the beginning of this second.
        let now = jiff::Timestamp::now();
        let until = format!("{}.{:09}", now.as_second(), now.subsec_nanosecond());
        quay.docker(user, &["events", "--since", "0", "--until", &until, "--format", "{{json .}}"]).ok()
    };
    let told = actions(&history(HIS));
    for (action, name) in [
        ("create", HIS),
        ("start", HIS),
        ("create", "lp-short"),
        ("die", "lp-short"),
        ("destroy", HIS),
        ("create", "lp-net"),
    ] {
        assert!(told.contains(&(action.to_owned(), name.to_owned())), "{action} {name}: {told:?}");
    }
    assert!(!told.iter().any(|(_, name)| name.starts_with(HERS)), "{told:?}");
    assert!(history("root").contains("news-short"));

    // The same, live: up to the event that ends what was waited for.
    let mut live = String::new();
    let mut reader = std::io::BufReader::new(following.stdout.take().unwrap());
    while !live.contains(r#""Action":"destroy","Actor":{"ID""#)
        || !live.contains(r#""name":"lp","#) && !live.contains(r#""name":"lp"}"#)
    {
        assert_ne!(std::io::BufRead::read_line(&mut reader, &mut live).unwrap(), 0, "{live}");
    }
    following.kill().unwrap();
    following.wait().unwrap();
    assert!(live.contains(r#""Action":"create""#) && live.contains("lp-short"), "{live}");
    assert!(!live.contains(HERS), "{live}");
}

#[test]
fn environments_are_masked_for_whoever_may_not_read_them() {
    let quay = furnished();
    let env =
        |user: &str| quay.docker(user, &["inspect", "--type=container", "-f", "{{.Config.Env}}", HIS]).ok();
    assert!(env("uucp").contains("SECRET=***") && !env("uucp").contains("hunter2"), "{}", env("uucp"));
    assert!(env(HIS).contains("SECRET=hunter2"));
    assert!(env("root").contains("SECRET=hunter2"));
    let dockerfile = "FROM busybox\nARG TOKEN=dflt\nENV MODE=hunter2\nRUN true\n";
    let mut build = quay.wharf.as_("carol").command("docker");
    build.env("DOCKER_BUILDKIT", "0").args([
        "build",
        "--network",
        "none",
        "--build-arg",
        "TOKEN=hunter2",
        "-t",
        "built",
        "-",
    ]);
    let mut build = build.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut build.stdin.take().unwrap(), dockerfile.as_bytes()).unwrap();
    assert!(build.wait().unwrap().success());
    let history = |user: &str| {
        quay.docker(user, &["history", "--no-trunc", "--format", "{{.CreatedBy}}", "built"]).ok()
    };
    assert!(history("root").contains("TOKEN=hunter2"));
    let masked = history("uucp");
    assert!(masked.contains("TOKEN=***") && !masked.contains("hunter2"), "{masked}");
    let inspected = quay.docker("uucp", &["image", "inspect", "built"]).ok();
    assert!(inspected.contains("MODE=***") && !inspected.contains("hunter2"), "{inspected}");
}

#[test]
fn what_is_created_carries_who_and_by_which_decision_and_nobody_else_can_say_so() {
    let quay = furnished();
    for (kind, name, labels) in [
        ("container", HIS, "{{json .Config.Labels}}"),
        ("volume", "lp-data", "{{json .Labels}}"),
        ("network", "lp-net", "{{json .Labels}}"),
    ] {
        let labels = quay.docker(HIS, &["inspect", "--type", kind, "-f", labels, name]).ok();
        let labels: Value = serde_json::from_str(&labels).unwrap();
        assert_eq!(labels["io.wharfinger.owner"], HIS, "{kind}");
        let decision = labels["io.wharfinger.decision"].as_str().unwrap();
        let explained = quay.wharf.wharfinger.cli(&["explain", decision]).ok();
        assert!(explained.contains(&format!("{kind}.create")), "{explained}");
    }
    let label = ["create", "--label", "io.wharfinger.owner=root", "busybox"];
    let message = "labels that begin with `io.wharfinger.` are given by wharfinger alone; leave out `io.wharfinger.owner`";
    let error = quay.docker(HIS, &label).refused();
    assert!(error.contains(message), "{error}");
    let error = quay.wharf.docker("carol", &label).refused();
    assert!(error.contains(message), "{error}");
}
