//! The tables, each on an engine of its own, and that no docker command is missing from them.

use super::both::{Both, tables};

/// Commands that are in no table, and why.
const NOT_HERE: &[(&str, &str)] = &[
    ("compose", "asks for nothing that the tables do not"),
    ("buildx", "its builds come by the same calls as those of `docker build`"),
    ("builder build", "is `docker image build` by another name"),
    ("bake", "is buildx"),
    ("checkpoint", "is experimental, and needs another program"),
    ("context", "asks no daemon"),
    ("manifest", "asks registries"),
    ("trust", "asks registries"),
    ("logout", "asks no daemon"),
    ("deploy", "is gone"),
    ("plugin create", "makes no plugin that could run"),
    ("plugin disable", "needs a plugin"),
    ("plugin enable", "needs a plugin"),
    ("plugin install", "needs a registry"),
    ("plugin push", "needs a registry"),
    ("plugin rm", "needs a plugin"),
    ("plugin set", "needs a plugin"),
    ("plugin upgrade", "needs a registry"),
    ("node rm", "needs another node"),
    ("swarm join", "needs another node"),
    ("swarm unlock", "needs a locked node"),
    ("volume update", "needs cluster volumes"),
    ("stack config", "asks no daemon"),
];

macro_rules! held {
    ($($name:ident: $table:literal),* $(,)?) => {
        $(#[test]
        fn $name() {
            Both::open().hold($table);
        })*
    };
}

held! {
    the_life_of_a_container_is_the_same: "containers",
    running_with_pipes_is_the_same: "running",
    exec_is_the_same: "exec",
    terminals_are_the_same: "terminal",
    logs_events_and_the_system_are_the_same: "logs",
    images_are_the_same: "images",
    volumes_and_networks_are_the_same: "networks",
    copies_are_the_same: "copies",
    builds_are_the_same: "builds",
    a_swarm_is_the_same: "swarm",
}

/// Commands have other names too (`docker ps` is `docker container ls`); one of them is enough.
#[test]
fn every_docker_command_is_in_a_table_or_there_is_a_reason() {
    let commands = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/docker-commands.txt"));
    let tables = tables();
    let used =
        |command: &str| [" ", "\n"].iter().any(|end| tables.contains(&format!("docker {command}{end}")));
    let excused = |command: &str| {
        NOT_HERE.iter().any(|(name, _)| command == *name || command.starts_with(&format!("{name} ")))
    };
    let missing: Vec<&str> = commands
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter(|command| !names(command).iter().any(|name| used(name) || excused(name)))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
    for (command, _) in NOT_HERE {
        assert!(!used(command), "`{command}` is in a table");
    }
}

/// Commands by their other names.
const SAME: &[(&str, &str)] = &[
    ("container ls", "ps"),
    ("container list", "ps"),
    ("container ps", "ps"),
    ("container remove", "rm"),
    ("image build", "build"),
    ("image ls", "images"),
    ("image list", "images"),
    ("image rm", "rmi"),
    ("image remove", "rmi"),
    ("stack down", "stack rm"),
    ("stack up", "stack deploy"),
];

/// A command's own name, and its other ones: `container start` is `start`, `volume list` is `volume ls`.
fn names(command: &str) -> Vec<String> {
    let mut names = vec![command.to_owned()];
    names.extend(SAME.iter().filter(|(name, _)| *name == command).map(|(_, same)| (*same).to_owned()));
    names.extend(
        ["container ", "image ", "system "]
            .iter()
            .filter_map(|noun| command.strip_prefix(noun))
            .map(str::to_owned),
    );
    for (long, short) in [(" list", " ls"), (" remove", " rm")] {
        names.extend(command.strip_suffix(long).map(|noun| format!("{noun}{short}")));
    }
    names
}
