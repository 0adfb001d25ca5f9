//! `wharfinger audit` and `wharfinger explain`: records as a table, as JSON, as CSV, and one of them in full.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::audit::{
    AdminEntry, CsvExport, DecisionEntry, Ending, Entry, Finding, Found, Object, ResponseEntry, SystemEntry,
    Verdict,
};
use crate::engine::harmless;

/// Writes records as a table, in the order given: one record, one line, however long.
pub fn table(records: &[Found], output: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header([
        "TIME",
        "USER",
        "DECISION",
        "OPERATION",
        "OBJECT",
        "REASON OR OUTCOME",
        "ID",
    ]);
    for found in records {
        table.add_row(row(found).map(|cell| shorter(&shown(&cell))));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2)).set_cell_alignment(CellAlignment::Left);
    }
    for line in table.lines() {
        writeln!(output, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Writes records as a JSON list.
pub fn json(records: &[Found], output: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *output, records)?;
    writeln!(output)
}

/// Writes records as CSV; the response to each decision is a line of its own.
pub fn csv(records: &[Found], output: &mut dyn Write) -> io::Result<()> {
    let mut csv = CsvExport::new(output)?;
    for found in records {
        csv.write(&found.record)?;
        for sequel in found.response.iter().chain(&found.withdrawn) {
            csv.write(sequel)?;
        }
    }
    csv.finish()
}

/// Writes everything that is known about one record, for reading.
pub fn explain(found: &Found, output: &mut dyn Write) -> io::Result<()> {
    writeln!(output, "{} {}", found.record.entry.phase().name(), found.id())?;
    match &found.record.entry {
        Entry::Decision(entry) => {
            who_and_what(entry, output)?;
            verdict(entry, output)?;
            needed(entry, output)?;
            ending(found, output)
        }
        Entry::Response(entry) => {
            field(output, "time", &format!("{:.6}", entry.time))?;
            field(output, "user", entry.user.as_deref().unwrap_or("anonymous"))?;
            field(output, "call", &call(entry.operation.as_deref(), entry.object.as_ref()))?;
            let decision =
                entry.decision.map_or_else(|| "not known any more".to_owned(), |id| id.to_string());
            field(output, "decision", &decision)?;
            field(output, "outcome", &reported(entry))
        }
        Entry::Admin(entry) => admin(entry, output),
        Entry::System(entry) => {
            field(output, "time", &format!("{:.6}", entry.time))?;
            field(output, "event", &told(entry))
        }
    }
}

fn row(found: &Found) -> [String; 7] {
    let time = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let user = |user: &Option<String>| user.clone().unwrap_or_else(|| "anonymous".to_owned());
    let object = |object: &Option<Object>| object.as_ref().map(ToString::to_string).unwrap_or_default();
    let id = found.id().to_string();
    match &found.record.entry {
        Entry::Decision(entry) => [
            time(entry.time),
            user(&entry.actor.user),
            entry.decision.name().to_owned(),
            operation(entry),
            object(&entry.object),
            in_short(found, entry),
            id,
        ],
        Entry::Response(entry) => [
            time(entry.time),
            user(&entry.user),
            "(ended)".to_owned(),
            entry.operation.clone().unwrap_or_default(),
            object(&entry.object),
            reported(entry),
            id,
        ],
        Entry::Admin(entry) => [
            time(entry.time),
            user(&entry.actor.user),
            entry.decision.name().to_owned(),
            entry.operation.clone(),
            object(&entry.object),
            entry.message.clone(),
            id,
        ],
        Entry::System(entry) => {
            let nothing = String::new;
            [time(entry.time), nothing(), "(trail)".to_owned(), nothing(), nothing(), told(entry), id]
        }
    }
}

fn operation(entry: &DecisionEntry) -> String {
    match (&entry.operation, &entry.verb) {
        (Some(operation), Some(verb)) => format!("{operation} ({verb})"),
        (Some(operation), None) => operation.clone(),
        (None, _) => format!("{} {}", entry.http.method, entry.http.path),
    }
}

/// Why not, or how it ended, in a few words.
fn in_short(found: &Found, entry: &DecisionEntry) -> String {
    match found.ending() {
        Some(Ending::Reported(response)) => reported(response),
        Some(Ending::Withdrawn) => "denied all the same: the trail was too slow".to_owned(),
        Some(Ending::Unknown) | None => "no end reported".to_owned(),
        Some(Ending::Denied) => {
            let cause = entry.code.as_ref().or(entry.cause.as_ref()).map_or("denied", String::as_str);
            let missing: Vec<_> = entry
                .requirements
                .iter()
                .filter(|finding| !granted(finding))
                .map(|finding| format!("{} {}", finding.action, finding.resource))
                .collect();
            match (missing.is_empty(), &entry.message) {
                (false, _) => format!("{cause}: {}", missing.join(", ")),
                (true, Some(message)) => format!("{cause}: {message}"),
                (true, None) => cause.to_owned(),
            }
        }
    }
}

fn who_and_what(entry: &DecisionEntry, output: &mut dyn Write) -> io::Result<()> {
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    field(output, "time", &format!("{:.6}", entry.time))?;
    field(output, "user", entry.actor.user.as_deref().unwrap_or("anonymous"))?;
    field(output, "known by", &entry.actor.how)?;
    field(output, "groups", &list(&entry.actor.groups))?;
    field(output, "roles", &list(&entry.actor.roles))?;
    let what = call(entry.operation.as_deref(), entry.object.as_ref());
    let verb = entry.verb.as_ref().map(|verb| format!(" ({verb})")).unwrap_or_default();
    field(output, "call", &format!("{what}{verb}"))?;
    let http = &entry.http;
    let query = if http.query_keys.is_empty() {
        String::new()
    } else {
        format!(", with the parameters {}", http.query_keys.join(", "))
    };
    field(output, "request", &format!("{} {}{query}", http.method, http.path))?;
    let client = http.user_agent.as_ref().map(|agent| format!(", from {agent}")).unwrap_or_default();
    field(output, "through", &format!("{}{client}", entry.source.door.name()))
}

fn admin(entry: &AdminEntry, output: &mut dyn Write) -> io::Result<()> {
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    field(output, "time", &format!("{:.6}", entry.time))?;
    field(output, "user", entry.actor.user.as_deref().unwrap_or("anonymous"))?;
    field(output, "known by", &entry.actor.how)?;
    field(output, "groups", &list(&entry.actor.groups))?;
    field(output, "roles", &list(&entry.actor.roles))?;
    field(output, "asked", &call(Some(&entry.operation), entry.object.as_ref()))?;
    field(output, "through", entry.source.door.name())?;
    let cause = entry.cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
    field(output, "decision", &format!("{}{cause}", entry.decision.name()))?;
    field(output, "", &entry.message)?;
    field(output, "policy", &format!("version {}", entry.policy_version))?;
    if !entry.requirements.is_empty() {
        findings(&entry.requirements, output)?;
    }
    let Some(change) = &entry.change else { return Ok(()) };
    field(output, "change", &format!("version {} to {}", change.before, change.after))?;
    field(output, "reason", if change.reason.is_empty() { "none given" } else { &change.reason })?;
    change.diff.iter().try_for_each(|line| field(output, "", line))
}

fn verdict(entry: &DecisionEntry, output: &mut dyn Write) -> io::Result<()> {
    let verdict = match entry.decision {
        Verdict::Permit => match &entry.mode {
            Some(mode) => format!("permit (mode {mode}: it would be denied, {})", cause(entry)),
            None => "permit".to_owned(),
        },
        Verdict::Deny => {
            format!("deny ({})", cause(entry))
        }
    };
    field(output, "decision", &verdict)?;
    if let Some(message) = &entry.message {
        field(output, "", message)?;
    }
    let policy = format!("version {}, decided in {}", entry.policy_version, span(entry.duration_us));
    field(output, "policy", &policy)
}

fn cause(entry: &DecisionEntry) -> String {
    entry.cause.iter().chain(&entry.code).map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn needed(entry: &DecisionEntry, output: &mut dyn Write) -> io::Result<()> {
    if entry.requirements.is_empty() {
        return field(output, "needed", "not asked for: it was denied before");
    }
    findings(&entry.requirements, output)
}

fn findings(findings: &[Finding], output: &mut dyn Write) -> io::Result<()> {
    writeln!(output, "  needed")?;
    for finding in findings {
        let mark = if granted(finding) { "granted" } else { "MISSING" };
        writeln!(output, "    {mark}  {} {}", shown(&finding.action), shown(&finding.resource))?;
        let why = match (&finding.permission, &finding.role, &finding.path) {
            (Some(permission), Some(role), Some(path)) => format!("`{permission}` of role {role} ({path})"),
            (_, _, _) => "no role grants it".to_owned(),
        };
        writeln!(output, "             {}", shown(&why))?;
    }
    Ok(())
}

fn ending(found: &Found, output: &mut dyn Write) -> io::Result<()> {
    let ending = match found.ending() {
        Some(Ending::Reported(response)) => reported(response),
        Some(Ending::Denied) => "it was not let through".to_owned(),
        Some(Ending::Withdrawn) => {
            "it was not let through: the disk was too slow, and a denial was answered after this was written"
                .to_owned()
        }
        Some(Ending::Unknown) | None => {
            "unknown: no end was reported; it runs on, or a restart or another plugin came between".to_owned()
        }
    };
    field(output, "outcome", &ending)
}

fn reported(entry: &ResponseEntry) -> String {
    let status = entry.status.map(|status| format!(" {status}")).unwrap_or_default();
    let created = entry.created.as_ref().map(|id| format!(", created {id}")).unwrap_or_default();
    let elapsed = entry.elapsed_us.map(|elapsed| format!(", after {}", span(elapsed))).unwrap_or_default();
    format!("{}{status}{created}{elapsed}", entry.outcome.name())
}

fn told(entry: &SystemEntry) -> String {
    format!("{} ({}): {}", entry.event.name(), entry.count, entry.message)
}

fn call(operation: Option<&str>, object: Option<&Object>) -> String {
    match (operation, object) {
        (Some(operation), Some(object)) => format!("{operation} on {object}"),
        (Some(operation), None) => operation.to_owned(),
        (None, _) => "not recognised".to_owned(),
    }
}

fn granted(finding: &Finding) -> bool {
    match finding.effect {
        Some(crate::audit::Effect::Allow) => true,
        Some(crate::audit::Effect::Deny) | None => false,
    }
}

/// A length of time for people.
fn span(micros: u64) -> String {
    let (millis, seconds) = (micros / 1000, micros / 1_000_000);
    match seconds {
        0 if micros < 10_000 => format!("{millis}.{:02} ms", micros % 1000 / 10),
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

fn field(output: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(output, "  {name:<9} {}", shown(value))
}

/// A text of somebody's choice as a terminal may see it.
fn shown(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// Full ids of containers and images in docker's short form; `explain` and the other forms have them whole.
fn shorter(text: &str) -> String {
    let is_id = |part: &str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_inclusive(|c: char| !c.is_ascii_alphanumeric())
        .flat_map(|part| {
            let (word, end) =
                part.split_at(part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len());
            [if is_id(word) { word.get(..12).unwrap_or(word) } else { word }, end]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::audit::sample::{decision, found, response};
    use crate::audit::{Actor, Event, Http};

    use super::*;

    fn text(render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut output = Vec::new();
        render(&mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_table_has_a_line_for_each_record() {
        let records = [
            found(&Entry::Decision(decision(2, Verdict::Deny).into()), None),
            found(&Entry::Decision(decision(1, Verdict::Permit).into()), Some(response(3, 1))),
        ];
        let expected = "\
TIME                  USER   DECISION  OPERATION                         OBJECT       REASON OR OUTCOME                    ID
2026-03-01 12:00:02Z  alice  deny      container.create (docker create)  container:*  not_granted: host.privileged host:*  01KJMMA4EGE008000000000000
2026-03-01 12:00:01Z  alice  permit    container.list (docker ps)        container:*  success 200, after 2.0 s             01KJMMA3F8E008000000000000
";
        assert_eq!(text(|output| table(&records, output)), expected);
    }

    #[test]
    fn a_full_id_is_shortened_in_a_table_as_docker_does_and_nothing_else_is() {
        let id = "4f1c".repeat(16);
        let text = format!("container:{id}, created {id}; {id}0 {}", "z".repeat(64));
        let expected = format!("container:4f1c4f1c4f1c, created 4f1c4f1c4f1c; {id}0 {}", "z".repeat(64));
        assert_eq!(shorter(&text), expected);
    }

    #[test]
    fn an_explanation_of_a_denial_says_what_was_missing() {
        let denied = found(&Entry::Decision(decision(2, Verdict::Deny).into()), None);
        let expected = "\
decision 01KJMMA4EGE008000000000000
  time      2026-03-01T12:00:02.000000Z
  user      alice
  known by  tls certificate
  groups    developers
  roles     developer
  call      container.create on container:* (docker create)
  request   GET /v1.41/containers/create, with the parameters name
  through   plugin, from Docker-Client/28.2.2 (linux)
  decision  deny (not_granted)
            alice may not host.privileged (docker run): no role she holds grants it
  policy    version 7, decided in 0.25 ms
  needed
    granted  container.create container:*
             `allow set:run container:*` of role developer (group:developers > developer)
    MISSING  host.privileged host:*
             no role grants it
  outcome   it was not let through
";
        assert_eq!(text(|output| explain(&denied, output)), expected);
    }

    #[test]
    fn every_ending_has_its_words() {
        let permit = || Entry::Decision(decision(1, Verdict::Permit).into());
        let words = |found: &Found| text(|output| explain(found, output)).lines().last().unwrap().to_owned();
        let open = found(&permit(), None);
        assert_eq!(
            words(&open),
            "  outcome   unknown: no end was reported; it runs on, or a restart or another plugin came between"
        );
        let made = ResponseEntry { created: Some("3fa2".to_owned()), status: Some(201), ..response(3, 1) };
        assert_eq!(
            words(&found(&permit(), Some(made))),
            "  outcome   success 201, created 3fa2, after 2.0 s"
        );
        let note = SystemEntry {
            id: decision(9, Verdict::Permit).id,
            time: decision(9, Verdict::Permit).time,
            event: Event::Withdrawn,
            about: Some(open.id()),
            count: 1,
            message: "the call was denied".to_owned(),
        };
        let note = found(&Entry::System(note.into()), None);
        assert_eq!(words(&note), "  event     withdrawn (1): the call was denied");
        let withdrawn = Found { withdrawn: Some(note.record), ..open };
        assert_eq!(
            words(&withdrawn),
            "  outcome   it was not let through: the disk was too slow, and a denial was answered after this was written"
        );
    }

    #[test]
    fn what_a_caller_chose_cannot_steer_the_terminal() {
        let evil = "a\u{1b}[2J\u{202e}b\r\nc";
        let entry = DecisionEntry {
            actor: Actor { user: Some(evil.to_owned()), groups: vec![evil.to_owned()], ..Actor::default() },
            http: Http { method: evil.to_owned(), path: evil.to_owned(), ..Http::default() },
            operation: None,
            message: Some(evil.to_owned()),
            ..decision(1, Verdict::Deny)
        };
        let evil = [found(&Entry::Decision(entry.into()), None)];
        for rendered in [text(|output| table(&evil, output)), text(|output| explain(&evil[0], output))] {
            assert!(rendered.chars().all(|c| c == '\n' || harmless(c) == c), "{rendered:?}");
        }
    }

    #[test]
    fn json_holds_what_was_found_and_csv_has_a_line_for_each_record() {
        let records = [found(&Entry::Decision(decision(1, Verdict::Permit).into()), Some(response(3, 1)))];
        let json = text(|output| json(&records, output));
        assert_eq!(serde_json::from_str::<Vec<Found>>(&json).unwrap(), records);
        let csv = text(|output| csv(&records, output));
        assert_eq!(csv.lines().count(), 3);
    }

    #[test]
    fn spans_are_told_in_the_unit_that_people_use() {
        for (micros, expected) in [
            (0, "0.00 ms"),
            (250, "0.25 ms"),
            (9_999, "9.99 ms"),
            (10_000, "10 ms"),
            (1_500_000, "1.5 s"),
            (61_000_000, "1 min 1 s"),
            (7_260_000_000, "2 h 1 min"),
        ] {
            assert_eq!(span(micros), expected);
        }
    }
}
