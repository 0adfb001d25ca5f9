//! Readers of fields that ask for nothing: they only hold the value to the type that the daemon gives it.
//!
//! A value of another type the daemon refuses, so that what we let through is what it reads; and
//! what stands unknown or twice inside a structure is noticed there, too.

use super::needs::Needs;
use super::table::{fields, invalid};
use crate::engine::Refusal;
use crate::engine::json::{Fields, Json};

/// A string.
pub(super) fn text(_: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    fields.text(name).map(drop)
}

/// A boolean.
pub(super) fn flag(_: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    fields.flag(name).map(drop)
}

/// A whole number, signed or not, without fraction or exponent.
pub(super) fn number(_: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    whole(fields.get(name), &fields.path_of(name))
}

/// A list of whole numbers, such as the size of a terminal.
pub(super) fn numbers(_: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    fields.list(name)?.iter().try_for_each(|item| whole(item, &fields.path_of(name)))
}

/// A number with a fraction.
pub(super) fn fraction(_: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    match fields.get(name) {
        Json::Null | Json::Number(_) => Ok(()),
        Json::Bool(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
            Err(invalid(&fields.path_of(name), "a number"))
        }
    }
}

/// A list of strings.
pub(super) fn texts(_: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    fields.texts(name).map(drop)
}

/// A list of strings, or one string in its place on engines up to 28.
pub(super) fn texts_or_one(_: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    fields.texts_or_one(name).map(drop)
}

/// A list of lists of strings.
pub(super) fn text_lists(_: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    fields.list(name)?.iter().try_for_each(|item| item.as_texts(&fields.path_of(name)).map(drop))
}

/// A map of strings, such as labels.
pub(super) fn text_map(_: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    fields.text_map(name).map(drop)
}

/// A map whose keys say it all, such as ports that are exposed.
pub(super) fn set(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let path = fields.path_of(name);
    for (_, value) in fields.map(name)?.entries() {
        needs.note_unknown(&value.as_fields(&path, NOTHING.names)?);
    }
    Ok(())
}

/// Go writes numbers of 64 bits with and without a sign.
fn whole(value: &Json, path: &str) -> Result<(), Refusal> {
    match value {
        Json::Number(digits) if digits.parse::<u64>().is_ok() => Ok(()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
            value.as_i64(path).map(drop)
        }
    }
}

/// Declares readers of fields that are one struct, or a list of them.
macro_rules! structs {
    ($($reader:ident $how:ident $table:ident;)*) => {$(
        pub(super) fn $reader(
            needs: &mut $crate::engine::readers::needs::Needs,
            fields: &$crate::engine::json::Fields<'_>,
            name: &str,
        ) -> Result<(), $crate::engine::Refusal> {
            $table.$how(needs, fields, name)
        }
    )*};
}
pub(super) use structs;

structs! {
    healthcheck     read_within HEALTHCHECK;
    service_mode    read_within SERVICE_MODE;
    replicated      read_within REPLICATED;
    job             read_within JOB;
    nothing         read_within NOTHING;
    rollout         read_within ROLLOUT;
    restarts        read_within RESTARTS;
    placement       read_within PLACEMENT;
    preferences     read_each   PREFERENCE;
    spread          read_within SPREAD;
    platforms       read_each   PLATFORM;
    dns             read_within DNS;
    file            read_within FILE;
    driver          read_within DRIVER;
    orchestration   read_within ORCHESTRATION;
    raft            read_within RAFT;
    dispatcher      read_within DISPATCHER;
    encryption      read_within ENCRYPTION;
    access_mode     read_within ACCESS_MODE;
    mounted         read_within MOUNTED;
    topologies      read_within TOPOLOGIES;
    topology        read_each   TOPOLOGY;
    capacity        read_within CAPACITY;
    ulimit_list     read_each   ULIMIT;
    weight_list     read_each   WEIGHT;
    rate_list       read_each   RATE;
}

fields! {
    /// moby `container.HealthConfig`.
    HEALTHCHECK {
        "Test"          texts;
        "Interval"      number;
        "Timeout"       number;
        "StartPeriod"   number;
        "StartInterval" number;
        "Retries"       number;
    }
    /// moby `units.Ulimit`.
    ULIMIT {
        "Name" text;
        "Hard" number;
        "Soft" number;
    }
    /// moby `blkiodev.WeightDevice`.
    WEIGHT {
        "Path"   text;
        "Weight" number;
    }
    /// moby `blkiodev.ThrottleDevice`.
    RATE {
        "Path" text;
        "Rate" number;
    }
    /// A structure without fields.
    NOTHING {
    }

    // Services.
    SERVICE_MODE {
        "Replicated"    replicated;
        "Global"        nothing;
        "ReplicatedJob" job;
        "GlobalJob"     nothing;
    }
    REPLICATED {
        "Replicas" number;
    }
    JOB {
        "MaxConcurrent"    number;
        "TotalCompletions" number;
    }
    /// moby `swarm.UpdateConfig`.
    ROLLOUT {
        "Parallelism"     number;
        "Delay"           number;
        "FailureAction"   text;
        "Monitor"         number;
        "MaxFailureRatio" fraction;
        "Order"           text;
    }
    /// moby `swarm.RestartPolicy`.
    RESTARTS {
        "Condition"   text;
        "Delay"       number;
        "MaxAttempts" number;
        "Window"      number;
    }
    PLACEMENT {
        "Constraints" texts;
        "Preferences" preferences;
        "MaxReplicas" number;
        "Platforms"   platforms;
    }
    PREFERENCE {
        "Spread" spread;
    }
    SPREAD {
        "SpreadDescriptor" text;
    }
    PLATFORM {
        "Architecture" text;
        "OS"           text;
    }
    DNS {
        "Nameservers" texts;
        "Search"      texts;
        "Options"     texts;
    }
    /// Where a secret or config appears in a container.
    FILE {
        "Name" text;
        "UID"  text;
        "GID"  text;
        "Mode" number;
    }
    /// moby `swarm.Driver`, where it is not a plugin.
    DRIVER {
        "Name"    text;
        "Options" text_map;
    }

    // The swarm.
    ORCHESTRATION {
        "TaskHistoryRetentionLimit" number;
    }
    RAFT {
        "SnapshotInterval"           number;
        "KeepOldSnapshots"           number;
        "LogEntriesForSlowFollowers" number;
        "ElectionTick"               number;
        "HeartbeatTick"              number;
    }
    DISPATCHER {
        "HeartbeatPeriod" number;
    }
    ENCRYPTION {
        "AutoLockManagers" flag;
    }

    // Cluster volumes.
    ACCESS_MODE {
        "Scope"       text;
        "Sharing"     text;
        "MountVolume" mounted;
        "BlockVolume" nothing;
    }
    MOUNTED {
        "FsType"     text;
        "MountFlags" texts;
    }
    TOPOLOGIES {
        "Requisite" topology;
        "Preferred" topology;
    }
    TOPOLOGY {
        "Segments" text_map;
    }
    CAPACITY {
        "RequiredBytes" number;
        "LimitBytes"    number;
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::FieldReader;
    use super::*;
    use crate::authz::Action;
    use crate::engine::json;

    fn outcome(read: FieldReader, value: &str) -> Result<usize, &'static str> {
        let body = json::read(format!(r#"{{"x":{value}}}"#).as_bytes()).unwrap();
        let mut needs = Needs::new(Action::ContainerCreate, "");
        read(&mut needs, &body.as_fields("", &["X"]).unwrap(), "X")
            .and_then(|()| needs.finish(""))
            .map(|classified| classified.requirements.iter().count() - 1)
            .map_err(|refusal| refusal.code.name())
    }

    #[test]
    fn a_value_of_another_type_is_refused_and_null_is_of_every_type() {
        let readers: [(FieldReader, &str); 10] = [
            (text, r#""a""#),
            (flag, "true"),
            (number, "-1"),
            (numbers, "[1,2]"),
            (fraction, "0.5"),
            (texts, r#"["a"]"#),
            (text_lists, r#"[["a"]]"#),
            (text_map, r#"{"a":"b"}"#),
            (set, r#"{"80/tcp":{}}"#),
            (healthcheck, r#"{"Retries":3}"#),
        ];
        // A whole number is a fraction too, and to a struct the keys of a map are unknown fields.
        let shared = [(4, 2), (9, 7), (9, 8)];
        for (at, (read, _)) in readers.iter().enumerate() {
            assert_eq!(outcome(*read, "null"), Ok(0));
            for (other, (_, value)) in readers.iter().enumerate() {
                let fits = at == other || shared.contains(&(at, other));
                let found = outcome(*read, value);
                assert!(found.is_ok() == fits && found != Err("body-ambiguous"), "{at}: {value}: {found:?}");
            }
        }
    }

    #[test]
    fn a_number_has_64_bits_with_or_without_a_sign_and_neither_fraction_nor_exponent() {
        for value in ["0", "-0", "-9223372036854775808", "18446744073709551615"] {
            assert_eq!(outcome(number, value), Ok(0), "{value}");
        }
        for value in ["1.0", "1e3", "18446744073709551616", "-9223372036854775809", r#""1""#] {
            assert_eq!(outcome(number, value), Err("body-invalid"), "{value}");
        }
    }

    #[test]
    fn what_is_unknown_or_twice_inside_a_structure_is_noticed() {
        assert_eq!(outcome(healthcheck, r#"{"Test":["CMD"],"Teleport":1}"#), Ok(1));
        assert_eq!(outcome(ulimit_list, r#"[{"Name":"nofile","Teleport":1}]"#), Ok(1));
        assert_eq!(outcome(healthcheck, r#"{"Test":["CMD"],"test":[]}"#), Err("body-ambiguous"));
    }
}
