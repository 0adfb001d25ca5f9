//! What the admin interface is asked with and answers with.

use super::shape::{described, shapes};
use crate::policy::{EditRequest, Flaw};

shapes! {
    Status "What the daemon is doing." {
        version: String, "The program's version.";
        started: String, "When the daemon started, RFC 3339.";
        policy: String, "The policy version in force: the digest that decisions name.";
        policy_number: u64, "Its number.";
        permitted: u64, "Calls permitted since the start.";
        denied: u64, "Calls denied since the start.";
        unrecorded: u64, "Denials whose record could not be written.";
        panics: u64, "Questions that failed inside Wharfinger, each a denial.";
        directory: String, "How the directory is doing, in one line.";
        trail_failing: Option<String>, "What keeps the trail from being written now.";
        inventory: InventoryStatus, "Who created what, and how names were looked up.";
        gateway: Option<GatewayStatus>, "The gateway, where there is one.";
    }
    InventoryStatus "What the inventory knows and has done." {
        objects: u64, "Objects with a known creator.";
        looked_up: u64, "Names that were looked up since the start.";
        failed: u64, "Look-ups that the daemon did not answer: nothing went by creator or name then.";
        unlearned: u64, "Objects that could not be remembered for good.";
    }
    GatewayStatus "What the gateway is doing." {
        open: u64, "Connections of users that are open now.";
        connections: u64, "Connections since the start.";
        requests: u64, "Requests since the start.";
        refused: u64, "Requests refused before they were forwarded.";
        upgraded: u64, "Connections that became streams: attach, exec, builds.";
        unanswered: u64, "Calls that the daemon did not answer.";
        unasked: u64, "Calls that the daemon carried out without asking for a decision.";
    }
    Reloaded "What a reload came to." {
        policy: String, "The policy version in force.";
    }
    Paging "Which part of a list." {
        after: Option<String>, "The `next` of the page before.";
        limit: Option<u32>, "At most so many; 100 unless told otherwise, 1000 at most.";
    }
    Role "A role." {
        name: String, "Its name.";
        description: String, "What it is for, as the policy's comment above it says.";
        inherits: Vec<String>, "The roles that it inherits, directly.";
        permissions: Vec<Permission>, "What it holds itself.";
        holders: Vec<Grant>, "Who is granted it, directly.";
    }
    Permission "What a role holds." {
        effect: String, "`allow` or `deny`; deny wins.";
        action: String, "An action, `set:…` or `*`.";
        resource: String, "A resource pattern.";
    }
    RoleLine "A role in a list." {
        name: String, "Its name.";
        description: String, "What it is for.";
        inherits: Vec<String>, "The roles that it inherits, directly.";
        permissions: u64, "How many permissions it holds itself.";
        grants: u64, "How many grants of it there are.";
    }
    Roles "Some roles, by name." {
        roles: Vec<RoleLine>, "The roles.";
        next: Option<String>, "What to ask for as `after`; none at the end.";
    }
    Grant "Somebody holds a role." {
        principal: String, "`user:…`, `group:…`, `everyone` or `anonymous`.";
        role: String, "The role.";
        until: Option<String>, "When it ends, RFC 3339.";
        reason: String, "Why it was given.";
        ended: bool, "Whether it has ended.";
    }
    GrantsAsked "Which grants." {
        principal: Option<String>, "Of this user, group, `everyone` or `anonymous`.";
        role: Option<String>, "Of this role.";
        after: Option<String>, "The `next` of the page before.";
        limit: Option<u32>, "At most so many; 100 unless told otherwise, 1000 at most.";
    }
    Grants "Some grants, in the order of the policy." {
        grants: Vec<Grant>, "The grants.";
        next: Option<String>, "What to ask for as `after`; none at the end.";
    }
    Set "An action set." {
        name: String, "Its name.";
        members: Vec<String>, "What belongs to it: actions and other sets.";
        actions: Vec<String>, "All actions in it, sets within it taken apart.";
        used_by: Vec<String>, "Roles with a permission on it.";
    }
    Sets "Some action sets, by name." {
        sets: Vec<Set>, "The sets.";
        next: Option<String>, "What to ask for as `after`; none at the end.";
    }
    Version "One version of the policy." {
        number: u64, "1, 2, 3, …";
        time: String, "When it was made, RFC 3339.";
        author: String, "Who made it.";
        how: String, "What the author's identity rests on.";
        reason: String, "Why.";
        digest: String, "What decisions and records name it by.";
    }
    VersionsAsked "Which versions." {
        before: Option<u64>, "The `next` of the page before.";
        limit: Option<u32>, "At most so many; 100 unless told otherwise, 1000 at most.";
    }
    Versions "Some versions, newest first." {
        versions: Vec<Version>, "The versions.";
        next: Option<u64>, "What to ask for as `before`; none at the end.";
    }
    DiffAsked "Which two versions; 0 is the shipped policy." {
        from: u64, "The one.";
        to: u64, "The other.";
    }
    Diff "What differs between two versions." {
        lines: Vec<String>, "Lines taken out begin with `- `, lines put in with `+ `.";
    }
    TextAsked "Which text." {
        version: Option<u64>, "A version's number; the newest unless told otherwise; 0 is the shipped policy.";
        form: Option<String>, "`csv`, which is Casbin's, or `toml`; `csv` unless told otherwise.";
    }
    ChangeAsked "A change: one of `edits`, `text` and `version`." {
        edits: Option<Vec<EditRequest>>, "Small changes, all of them or none.";
        text: Option<String>, "A whole new policy; needs `If-Match`.";
        form: Option<String>, "The form of `text`: `csv` or `toml`; `csv` unless told otherwise.";
        version: Option<u64>, "The text of an earlier version; 0 is the shipped policy.";
        reason: Option<String>, "Why; kept with the version.";
        dry_run: Option<bool>, "Only work out what it would do.";
        force: Option<bool>, "Also if it brings in what is hardly meant, or breaks an expectation.";
        since: Option<String>, "Work out which decisions of the trail since then it would change: a span such as `7d`, or a time.";
    }
    Changed "What a change did, or would do." {
        version: Option<u64>, "The new version; none if nothing was changed.";
        base: u64, "The version that it starts from.";
        digest: String, "What decisions name the new version by.";
        diff: Vec<String>, "Lines taken out begin with `- `, lines put in with `+ `.";
        flaws: Vec<Flaw>, "What is hardly meant and was not there before.";
        failures: Vec<String>, "Expectations that would not be met.";
        effect: Option<Effect>, "Which decisions of the trail would change, if that was asked.";
    }
    Effect "Which decisions of the trail a policy would change." {
        since: String, "From when on, RFC 3339.";
        decisions: u64, "How many were looked at.";
        complete: bool, "Whether those were all since then.";
        changed: Vec<Shift>, "Those that would change, alike ones together, most frequent first.";
    }
    Shift "Decisions alike that would change." {
        user: String, "The user, or `anonymous`.";
        operation: String, "The operation.";
        object: String, "What it acts on.";
        before: String, "`permit` or `deny`: what the policy in force says.";
        after: String, "What the other one says.";
        why: String, "What is missing or denied then; empty for a permit.";
        count: u64, "How many.";
        last: String, "When it was decided last, RFC 3339.";
        example: String, "The id of the last one.";
    }
    CanAsked "Whether somebody may do something." {
        action: String, "An action, or a set such as `set:run`.";
        resource: Option<String>, "What it is about, such as `container:web-1`; `container:@own` is one that the user created; all of the action's kind unless told otherwise.";
        user: Option<String>, "Who; whoever asks, unless told otherwise; `anonymous` is nobody.";
        groups: Option<String>, "Groups of the user, separated by commas, in place of the directory's.";
    }
    Can "Whether somebody may." {
        permit: bool, "Yes or no.";
        user: String, "Who was asked about.";
        groups: Vec<String>, "The user's groups.";
        message: String, "Why not; empty for a yes.";
        mode: Option<String>, "`observe` or `warn` where a denial is let through.";
        findings: Vec<Found>, "What decided each thing that is needed.";
    }
    Found "What decided one thing that is needed." {
        action: String, "The action.";
        resource: String, "The resource.";
        granted: bool, "Whether a permission allows it and none denies it.";
        permission: Option<String>, "The permission that decided; none if no role grants it.";
        role: Option<String>, "The role that holds it.";
        path: Option<String>, "How the user comes to hold that role.";
    }
    HeldAsked "Of whom." {
        user: Option<String>, "Who; whoever asks, unless told otherwise; `anonymous` is nobody.";
        groups: Option<String>, "Groups of the user, separated by commas, in place of the directory's.";
    }
    Held "All that somebody holds." {
        user: String, "Who was asked about.";
        groups: Vec<String>, "The user's groups.";
        permissions: Vec<HeldPermission>, "The permissions, nearest role first.";
    }
    HeldPermission "A permission that somebody holds." {
        effect: String, "`allow` or `deny`; deny wins.";
        action: String, "An action, `set:…` or `*`.";
        resource: String, "A resource pattern.";
        role: String, "The role that holds it.";
        path: String, "How the user comes to hold that role.";
    }
    WhoAsked "Who may do something." {
        action: String, "An action, or a set such as `set:run`.";
        resource: Option<String>, "What it is about; all of the action's kind unless told otherwise.";
    }
    Who "Who may do something, as far as the policy names them." {
        holders: Vec<Holder>, "Users, groups, `everyone` and `anonymous` that may.";
        complete: bool, "Whether the groups of all users that are named were looked up.";
    }
    Holder "One who may." {
        principal: String, "`user:…`, `group:…` (its members), `everyone` or `anonymous`.";
        path: String, "How that one comes to hold the deciding role.";
        until: Option<String>, "When the grant ends, if it does.";
    }
    NamesAsked "Names of what." {
        kind: String, "`roles`, `sets`, `users`, `groups` or `actions`.";
    }
    Names "Names, for completion." {
        names: Vec<String>, "The names.";
    }
}

described! { EditRequest "One small change; names as policies write them, without `role:` and `set:` in front." {
    op: EditOp, "What kind of change.";
    role: Option<String>, "The role.";
    action: Option<String>, "An action, `set:…` or `*`.";
    resource: Option<String>, "A resource pattern.";
    effect: Option<String>, "`allow` or `deny`; `allow` unless told otherwise.";
    principal: Option<String>, "`user:…`, `group:…`, `everyone` or `anonymous`.";
    until: Option<String>, "When a grant ends, RFC 3339.";
    reason: Option<String>, "Why a grant is given.";
    from: Option<String>, "The role that is inherited.";
    set: Option<String>, "The action set.";
    text: Option<String>, "What a role is for.";
} }

described! { Flaw "Something that is hardly meant." {
    refused: bool, "Whether a change that brings it in is refused unless it is forced.";
    message: String, "What it is.";
} }

/// The kinds of edits, as the API document lists them.
struct EditOp;

impl super::shape::Shape for EditOp {
    fn schema() -> serde_json::Value {
        let names: Vec<&str> = crate::policy::EditKind::ALL.iter().map(|kind| kind.name()).collect();
        serde_json::json!({"type": "string", "enum": names})
    }
}

shapes! {
    ElevateAsked "A role for a while, for whoever asks." {
        role: String, "The role.";
        seconds: u64, "For how long: a minute at least, 24 hours at most.";
        reason: String, "Why.";
    }
    Elevated "What came of it." {
        version: Option<u64>, "The policy version in which the role is granted.";
        waiting: Option<String>, "The request's id, where it waits for somebody else's approval.";
    }
    Elevation "A request for a role that waits for an approval." {
        id: String, "Its id, which is also that of its record.";
        user: String, "Who asks.";
        role: String, "For which role.";
        seconds: u64, "For how long, from the approval on.";
        reason: String, "Why.";
    }
    Elevations "Requests that wait." {
        waiting: Vec<Elevation>, "The requests, oldest first.";
    }
    LearnAsked "Of whom to learn, and since when." {
        user: Option<String>, "Of this user.";
        group: Option<String>, "Of the members of this group.";
        since: Option<String>, "A span back from now such as `7d`, or a time; 7 days unless told otherwise.";
    }
    Draft "The smallest role from what was really done." {
        since: String, "From when on, RFC 3339.";
        decisions: u64, "How many permitted calls it rests on.";
        complete: bool, "Whether those were all since then.";
        permissions: Vec<Drafted>, "What the role would hold.";
        left_out: Vec<String>, "Powers that give the host away and were used: those are given by hand.";
        covering: Vec<Covering>, "Roles that there are, and how they would do instead; the best first.";
    }
    Drafted "A permission of the draft." {
        action: String, "The action.";
        resource: String, "The resource pattern.";
        count: u64, "How often it was used.";
    }
    Covering "How a role would do instead of the draft." {
        role: String, "The role.";
        covers: u64, "How much of what was used it covers.";
        of: u64, "How much that is in all.";
        permissions: u64, "How many permissions it holds itself.";
        drafted: u64, "How many the draft holds.";
    }
    TokenWanted "The token that somebody wants." {
        user: String, "Whom it is to name.";
        groups: Option<Vec<String>>, "The groups that it is to have.";
        roles: Option<Vec<String>>, "The only roles that it is to hold; none means those of its user and of the groups.";
        ttl: String, "How long it is to live, such as `1h`.";
        reason: Option<String>, "What for.";
    }
    Problem "What went wrong (RFC 9457)." {
        title: String, "The status in words.";
        status: u32, "The HTTP status.";
        detail: String, "What is wrong, and what to do.";
    }
    ReportAsked "Since when." {
        since: Option<String>, "A span back from now such as `7d`, or a time; 7 days unless told otherwise.";
    }
    Report "What was let through although a denial was due." {
        since: String, "From when on, RFC 3339.";
        decisions: u64, "How many decisions were looked at.";
        complete: bool, "Whether those were all since then.";
        lines: Vec<ReportLine>, "Alike ones together, most frequent first.";
    }
    ReportLine "Calls alike that were let through although a denial was due." {
        user: String, "The user, or `anonymous`.";
        roles: Vec<String>, "The user's roles then.";
        action: String, "What was missing or denied.";
        resource: String, "On what.";
        mode: String, "`observe` or `warn`.";
        count: u64, "How many.";
        last: String, "When it was last, RFC 3339.";
        example: String, "The id of the last one.";
    }
    TestAsked "Which version to test." {
        version: Option<u64>, "Its number; the newest unless told otherwise.";
    }
    TestResults "How the expectations went." {
        tests: Vec<TestResult>, "Each of them.";
        failed: u64, "How many are not met.";
    }
    TestResult "One expectation." {
        name: String, "It in words.";
        failure: Option<String>, "Why it is not met; none if it is.";
    }
}
