//! Roles and grants: loading through Casbin, checking whole, and compiling for the decision.
