//! The trail: records, the one writer, queries and exports.
