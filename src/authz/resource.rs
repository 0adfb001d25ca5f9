//! Resources: the `kind:name` that a requirement is about, and who owns it.

use std::fmt;
use std::sync::Arc;

macro_rules! kinds {
    ($($variant:ident $name:literal;)*) => {
        /// What sort of thing a resource is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $(#[doc = concat!("`", $name, ":…`")] $variant,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// The word before the colon.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    Container     "container";
    Exec          "exec";
    Image         "image";
    Build         "build";
    Volume        "volume";
    Network       "network";
    System        "system";
    Plugin        "plugin";
    Swarm         "swarm";
    Node          "node";
    Service       "service";
    Task          "task";
    Secret        "secret";
    Config        "config";
    Registry      "registry";
    Host          "host";
    Path          "path";
    Filesystem    "filesystem";
    Capability    "capability";
    Device        "device";
    DeviceRule    "device-rule";
    DeviceRequest "device-request";
    SecurityOpt   "security-opt";
    Namespace     "namespace";
    Sysctl        "sysctl";
    Runtime       "runtime";
    Annotation    "annotation";
    Cgroup        "cgroup";
    Limit         "limit";
    Group         "group";
    LogDriver     "log-driver";
    Port          "port";
    Url           "url";
    VolumeDriver  "volume-driver";
    NetworkDriver "network-driver";
    NetworkOption "network-option";
    Field         "field";
    Policy        "policy";
    Audit         "audit";
    Token         "token";
}

impl Kind {
    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// Who created a resource: what `@own` and `@group` are decided by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The creator's canonical user name.
    pub user: String,
    /// The creator's groups at that time.
    pub groups: Vec<String>,
}

/// What a name in a call stands for, as far as that was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The name counts as it is written: nothing else could decide.
    #[default]
    Written,
    /// It could not be found out. Only what covers all names covers it, and a denial of any name concerns it.
    Unknown,
    /// Everything that it could stand for; never empty.
    Known(Arc<[Named]>),
}

/// One thing that a name could stand for, with everything that it goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Named {
    /// The names by which a permission can allow it.
    pub names: Vec<String>,
    /// Its ID, long and short, which only patterns without wildcards mean.
    pub ids: Vec<String>,
    /// Further names, by which it can be denied and not allowed: somebody could move them.
    pub others: Vec<String>,
}

impl Meaning {
    /// What is known; nothing at all leaves the name as it is written.
    pub fn of(found: Vec<Named>) -> Self {
        if found.is_empty() { Self::Written } else { Self::Known(found.into()) }
    }
}

/// One thing that an action is about, in canonical form.
///
/// The name `*` means "any of them, or one not yet named": only a pattern that covers
/// all names covers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// The word before the colon.
    pub kind: Kind,
    /// The text after the colon.
    pub name: String,
    /// Its creator, where the inventory knows one.
    pub owner: Option<Arc<Owner>>,
    /// What the name stands for, where that could decide.
    pub meaning: Meaning,
}

impl Resource {
    /// The name that stands for all resources of a kind.
    pub const ANY: &'static str = "*";

    /// A resource whose owner nobody knows.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), owner: None, meaning: Meaning::Written }
    }

    /// `kind:*`.
    pub fn any(kind: Kind) -> Self {
        Self::new(kind, Self::ANY)
    }

    /// The resource that `kind:name` writes down, or `None` for an unknown kind or an empty name.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        (!name.is_empty()).then_some(Self::new(Kind::parse(kind)?, name))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.name)
    }
}
