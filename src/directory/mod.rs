//! Subject to groups: the file directory, LDAP, and the cache in front of them.
