//! Asking: as fast as answers come (closed loop), or at set times whatever the answers do (open loop).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::http::Answer;
use super::questions::Call;
use super::report::Sample;
use super::schedule::Schedule;

/// How long to go on, and over how many connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) connections: usize,
    pub(crate) length: Duration,
}

/// Each connection asks again as soon as it has its answer.
pub(crate) async fn closed(
    socket: &Path,
    calls: &Arc<Vec<Call>>,
    extent: Extent,
) -> anyhow::Result<Vec<Sample>> {
    let stop = Arc::new(AtomicBool::new(false));
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    let start = Instant::now();
    for _ in 0..extent.connections {
        let mut connection = Connection::open(socket).await?;
        let (stop, next, calls) = (Arc::clone(&stop), Arc::clone(&next), Arc::clone(calls));
        workers.spawn(async move {
            let mut samples = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let call = pick(&calls, next.fetch_add(1, Ordering::Relaxed))?;
                samples.push(ask(&mut connection, call, start, start.elapsed()).await?);
            }
            anyhow::Ok(samples)
        });
    }
    tokio::time::sleep(extent.length).await;
    stop.store(true, Ordering::Relaxed);
    gather(workers).await
}

/// Calls are due at the times of `schedule`. A call that finds no free connection waits, and its wait counts:
/// a server that stops for a moment is charged for every call that was due in that moment.
pub(crate) async fn open(
    socket: &Path,
    calls: &Arc<Vec<Call>>,
    extent: Extent,
    rate: u32,
) -> anyhow::Result<Vec<Sample>> {
    let schedule = Schedule { rate, length: extent.length };
    let due = Arc::new(Semaphore::new(0));
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    let mut connections = Vec::new();
    for _ in 0..extent.connections {
        connections.push(Connection::open(socket).await?);
    }
    let start = Instant::now();
    for mut connection in connections {
        let (due, next, calls) = (Arc::clone(&due), Arc::clone(&next), Arc::clone(calls));
        workers.spawn(async move {
            let mut samples = Vec::new();
            while let Ok(permit) = due.acquire().await {
                permit.forget();
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(time) = schedule.due(number) else { break };
                samples.push(ask(&mut connection, pick(&calls, number)?, start, time).await?);
            }
            anyhow::Ok(samples)
        });
    }
    std::thread::spawn(move || announce(schedule, start, &due, extent.connections));
    gather(workers).await
}

/// Hands out one permit for each call when it is due. A thread of its own: the runtime's timers tick in milliseconds.
fn announce(schedule: Schedule, start: Instant, due: &Semaphore, connections: usize) {
    for time in (0..).map_while(|number| schedule.due(number)) {
        if let Some(wait) = time.checked_sub(start.elapsed()) {
            std::thread::sleep(wait);
        }
        due.add_permits(1);
    }
    // One for each worker, which finds nothing due any more and ends.
    due.add_permits(connections);
}

async fn ask(
    connection: &mut Connection,
    call: &Call,
    start: Instant,
    due: Duration,
) -> anyhow::Result<Sample> {
    let sent = start.elapsed();
    let answer =
        connection.ask(&call.request).await.with_context(|| format!("{:?}, the request", call.kind))?;
    let answered = start.elapsed();
    // dockerd tells of the response only after it was allowed to carry out the request.
    let allowed = answer == Answer::Allowed;
    if allowed {
        connection.ask(&call.response).await.with_context(|| format!("{:?}, the response", call.kind))?;
    }
    Ok(Sample {
        kind: call.kind,
        due,
        request: answered.saturating_sub(due),
        response: start.elapsed().saturating_sub(answered),
        late: sent.saturating_sub(due),
        allowed,
    })
}

fn pick(calls: &[Call], number: u64) -> anyhow::Result<&Call> {
    let index = usize::try_from(number)? % calls.len().max(1);
    calls.get(index).context("there is no call to make")
}

async fn gather(mut workers: JoinSet<anyhow::Result<Vec<Sample>>>) -> anyhow::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    while let Some(worker) = workers.join_next().await {
        samples.extend(worker.context("a connection's task ended early")??);
    }
    Ok(samples)
}
