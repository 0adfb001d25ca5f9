//! Decisions of the trail one after the other, for whoever wants to know what another policy would have said.

use super::query::decode;
use super::{DecisionEntry, Entry, Filter, Phase, QueryError, Reader};

/// Records that are held at a time.
const STEP: u32 = 1000;

/// Hands over the decisions that the filter lets through, oldest first; at most so many. Whether those were all.
pub fn decisions(
    reader: &Reader,
    filter: &Filter,
    most: u64,
    mut take: impl FnMut(DecisionEntry),
) -> Result<bool, QueryError> {
    let filter = Filter { phase: Some(Phase::Decision), ..filter.clone() };
    let condition = filter.condition()?;
    let last = reader.last()?;
    let (mut after, mut count) = (0, 0);
    loop {
        let bodies = reader.bodies_after(&condition, after, last, STEP)?;
        let Some((newest, _)) = bodies.last() else { return Ok(true) };
        after = *newest;
        for (seq, body) in &bodies {
            if count == most {
                return Ok(false);
            }
            if let Entry::Decision(entry) = decode(*seq, body)?.entry {
                count += 1;
                take(*entry);
            }
        }
    }
}
