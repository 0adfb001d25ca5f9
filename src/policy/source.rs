//! Where a policy comes from: the shipped one, or files that only the administrator can write.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Loaded, MODEL, POLICY, PolicyError, load};

/// Where a policy comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PolicySource {
    /// The policy that is compiled in.
    #[default]
    Embedded,
    /// A file in Casbin's form, for the first start only: after that the database has the policy.
    Seed(PathBuf),
    /// Files in Casbin's form.
    Files {
        /// The model; without one, the compiled-in one, which it has to equal anyway.
        model: Option<PathBuf>,
        /// The policy.
        policy: PathBuf,
    },
}

/// The longest policy that is read, in bytes: a million lines.
const LONGEST: u64 = 64 << 20;

impl PolicySource {
    /// Reads, checks and compiles the policy.
    pub fn load(&self) -> Result<Loaded, PolicyError> {
        self.read().map(|(loaded, _)| loaded)
    }

    /// The same, with the text that was read.
    pub(super) fn read(&self) -> Result<(Loaded, String), PolicyError> {
        let (model, text) = match self {
            Self::Embedded => (None, POLICY.to_owned()),
            Self::Seed(policy) => (None, read(policy)?),
            Self::Files { model, policy } => (model.as_deref().map(read).transpose()?, read(policy)?),
        };
        Ok((load(model.as_deref().unwrap_or(MODEL), &text)?, text))
    }

    /// Whether what it says is in force whenever it is read, and not only the first time.
    pub(super) fn is_truth(&self) -> bool {
        self.file().is_some()
    }

    /// The file that is the truth.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Embedded | Self::Seed(_) => None,
            Self::Files { policy, .. } => Some(policy),
        }
    }

    /// Where it comes from, in a few words.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Embedded => "the shipped policy".to_owned(),
            Self::Seed(policy) | Self::Files { policy, .. } => format!("the file {}", policy.display()),
        }
    }
}

fn read(path: &Path) -> Result<String, PolicyError> {
    let wrong = |why: String| PolicyError::File { path: path.to_owned(), why };
    let file = File::open(path).map_err(|error| wrong(format!("{error}; is the path right?")))?;
    let metadata = file.metadata().map_err(|error| wrong(error.to_string()))?;
    if !metadata.is_file() {
        return Err(wrong("it is not a regular file".to_owned()));
    }
    // Whoever can write the policy can grant himself everything.
    if metadata.permissions().mode() & 0o002 != 0 {
        return Err(wrong("everybody on this host may write it; take that away with `chmod o-w`".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > LONGEST {
        return Err(wrong(format!("it is longer than {} MiB", LONGEST >> 20)));
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text; save it as UTF-8".to_owned()))
}
