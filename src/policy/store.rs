//! The policy in force, replaced whole or not at all.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{Loaded, PolicyError, PolicySource};

/// Holds the policy that decides, for all threads.
#[derive(Debug)]
pub struct Store {
    source: PolicySource,
    current: ArcSwap<Loaded>,
}

impl Store {
    /// Loads the first policy; without one there is nothing to decide by.
    pub fn open(source: PolicySource) -> Result<Self, PolicyError> {
        let current = ArcSwap::from_pointee(source.load()?);
        Ok(Self { source, current })
    }

    /// The policy in force. A request takes it once and decides by it to its end.
    pub fn current(&self) -> Arc<Loaded> {
        self.current.load_full()
    }

    /// Reads the source again and returns the policy that is now in force.
    ///
    /// # Errors
    /// What is wrong with the new one; the old one stays in force.
    pub fn reload(&self) -> Result<Arc<Loaded>, PolicyError> {
        let new = Arc::new(self.source.load()?);
        self.current.store(Arc::clone(&new));
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::Store;
    use crate::policy::PolicySource;

    fn source(policy: &Path) -> PolicySource {
        PolicySource::Files { model: None, policy: policy.to_owned() }
    }

    fn write(path: &Path, policy: &str) {
        fs::write(path, policy).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    #[test]
    fn a_good_policy_replaces_the_old_one_and_a_bad_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.csv");
        write(&path, "p, role:a, *, *, allow");
        let store = Store::open(source(&path)).unwrap();
        let first = store.current();

        write(&path, "p, role:a, *, *, alow");
        let error = store.reload().unwrap_err().to_string();
        assert_eq!(
            error,
            "the policy is not accepted:\n  line 1, effect: `alow` is neither `allow` nor `deny`"
        );
        assert_eq!(store.current().digest, first.digest);

        write(&path, "p, role:b, *, *, allow");
        let second = store.reload().unwrap();
        assert_ne!(second.digest, first.digest);
        assert_eq!(store.current().digest, second.digest);
    }

    #[test]
    fn a_file_that_cannot_be_trusted_or_read_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.csv");
        let message = || Store::open(source(&path)).unwrap_err().to_string();
        let about = format!("cannot read the policy `{}`: ", path.display());

        assert_eq!(message(), format!("{about}No such file or directory (os error 2); is the path right?"));
        write(&path, "");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(
            message(),
            format!("{about}everybody on this host may write it; take that away with `chmod o-w`")
        );
        write(&path, "");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(message(), format!("{about}it is not UTF-8 text; save it as UTF-8"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(message(), format!("{about}it is not a regular file"));
    }
}
